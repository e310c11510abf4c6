#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/difference.h"
#include "cli/files.h"
#include "cli/nouns.h"
#include "cli/options.h"
#include "cli/width.h"

namespace tenbin::cli {

namespace {

bool is_folder(const std::string& path) {
  struct stat about{};
  return ::stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode);
}

// The .toml files right in a folder, by name.
Outcome<std::vector<std::string>> files_in(const Context& context, const std::string& folder) {
  std::vector<std::string> files;
  DIR* open = ::opendir(folder.c_str());
  if (!open) {
    return stop(Exit::failed, "file_unreadable",
                context.say(Phrase::file_unreadable, folder, "opendir"));
  }
  while (const dirent* entry = ::readdir(open)) {  // NOLINT(concurrency-mt-unsafe): one thread
    const std::string_view name = entry->d_name;
    if (name.ends_with(".toml") && !name.starts_with('.'))
      files.push_back(folder + (folder.ends_with('/') ? "" : "/") + std::string(name));
  }
  ::closedir(open);
  std::ranges::sort(files);
  if (files.empty())
    return stop(Exit::usage, "malformed_file", context.say(Phrase::folder_empty, folder));
  return files;
}

// All that the files declare, in the order in which one thing needs another; once each.
Outcome<std::vector<Declaration>> read_all(const Context& context,
                                           const std::vector<std::string>& paths) {
  std::vector<Declaration> all;
  for (const std::string& path : paths) {
    std::vector<std::string> files{path};
    if (is_folder(path)) {
      auto inside = files_in(context, path);
      if (!inside) return std::unexpected(inside.error());
      files = *std::move(inside);
    }
    for (const std::string& file : files) {
      auto read = read_declarations(context, file);
      if (!read) return std::unexpected(read.error());
      std::ranges::move(*read, std::back_inserter(all));
    }
  }
  std::ranges::stable_sort(all, {}, [](const Declaration& one) { return find_noun(one.kind); });

  std::map<std::pair<std::string_view, std::string>, const Declaration*> seen;
  for (const Declaration& one : all) {
    const auto [first, is_new] = seen.emplace(std::pair(one.kind, one.name), &one);
    if (is_new || one.kind == "policy") continue;
    return stop(Exit::usage, "malformed_file",
                one.place + ": " +
                    context.say(Phrase::declared_twice, one.kind, one.name, first->second->place));
  }
  return all;
}

std::string painted(const Context& context, std::string text, std::string_view colour) {
  if (!context.look.colour) return text;
  return "\x1b[" + std::string(colour) + "m" + std::move(text) + "\x1b[0m";
}

std::string changes_text(const std::vector<Change>& changes) {
  std::string out;
  for (const Change& change : changes) {
    const auto value = [](const std::string& v) { return v.empty() ? "\"\"" : printable(v); };
    out += (out.empty() ? "" : ", ") + change.field + " " + value(change.before) + " -> " +
           value(change.after);
  }
  return out;
}

void print_plan(const Context& context, const std::vector<Planned>& plan) {
  std::map<Fate, int> counts;
  for (const Planned& one : plan) {
    ++counts[one.fate];
    std::string line = said_of(one.declaration->kind, printable(one.declaration->name));
    if (!one.changes.empty()) line += ": " + changes_text(one.changes);
    switch (one.fate) {
      case Fate::created: line = painted(context, "+ " + line, "32"); break;
      case Fate::changed: line = painted(context, "~ " + line, "33"); break;
      case Fate::unchanged: line = painted(context, "= " + line, "2"); break;
      case Fate::refused: line = painted(context, "! " + line, "31"); break;
    }
    context.print_line(line);
  }
  context.print_line(context.say(Phrase::would_apply, counts[Fate::created], counts[Fate::changed],
                                 counts[Fate::unchanged]));
}

std::string plan_json(const std::vector<Planned>& plan) {
  std::string json;
  JsonWriter out(json);
  out.begin_array();
  for (const Planned& one : plan) {
    out.begin_object()
        .member("kind", one.declaration->kind)
        .member("name", one.declaration->name)
        .member("place", one.declaration->place)
        .member("result", word_of(one.fate))
        .key("changes")
        .begin_array();
    for (const Change& change : one.changes) {
      out.begin_object()
          .member("field", change.field)
          .member("old", change.before)
          .member("new", change.after)
          .end_object();
    }
    out.end_array().end_object();
  }
  out.end_array();
  return json;
}

Table plan_table(const std::vector<Planned>& plan) {
  Table table({{"kind", Phrase::col_kind},
               {"name", Phrase::col_name},
               {"result", Phrase::col_result, Kind::word},
               {"field", Phrase::col_field},
               {"old", Phrase::col_old},
               {"new", Phrase::col_new}});
  for (const Planned& one : plan) {
    const std::vector<std::string> first{std::string(one.declaration->kind), one.declaration->name,
                                         std::string(word_of(one.fate))};
    for (const Change& change : one.changes) {
      table.add({first[0], first[1], first[2], change.field, change.before, change.after});
    }
    if (one.changes.empty()) table.add({first[0], first[1], first[2], "", "", ""});
  }
  return table;
}

Outcome<int> dry_run(const Context& context, Service& service,
                     const std::vector<Declaration>& declarations) {
  const auto plan = differences(service, declarations);
  if (!plan) return std::unexpected(plan.error());
  switch (context.format) {
    case Format::table: print_plan(context, *plan); break;
    case Format::json: print_json(context, plan_json(*plan)); break;
    case Format::csv: context.print(plan_table(*plan).csv()); break;
  }
  const auto refused = std::ranges::find(*plan, Fate::refused, &Planned::fate);
  if (refused == plan->end()) return 0;
  const Declaration& one = *refused->declaration;
  return stop(Exit::conflict, "name_taken",
              one.place + ": " + said_of(one.kind, one.name) + ": " +
                  context.say(Phrase::cannot_change, changes_text(refused->changes)),
              context.say(Phrase::hint_name_taken));
}

struct Applied {
  std::string kind, name, result, id;
};

// What an apply did, for people: each thing that is new or changed, then the counts.
void print_applied(const Context& context, const std::vector<Applied>& items) {
  int created = 0, changed = 0, unchanged = 0;
  for (const Applied& item : items) {
    if (item.result == "created") {
      ++created;
      context.print_line(context.say(Phrase::applied_item, said_of(item.kind, item.name)));
    } else if (item.result == "changed") {
      ++changed;
      context.print_line(context.say(Phrase::applied_change, said_of(item.kind, item.name)));
    } else {
      ++unchanged;
    }
  }
  context.print_line(changed == 0
                         ? context.say(Phrase::applied, created, unchanged)
                         : context.say(Phrase::applied_changes, created, changed, unchanged));
}

void print_results(const Context& context, const std::vector<Applied>& items) {
  if (context.format == Format::table) return print_applied(context, items);
  Table table({{"kind", Phrase::col_kind},
               {"name", Phrase::col_name},
               {"result", Phrase::col_result, Kind::word},
               {"id", Phrase::col_id, Kind::number}});
  std::string json;
  JsonWriter out(json);
  out.begin_array();
  for (const Applied& item : items) {
    table.add({item.kind, item.name, item.result, item.id});
    out.begin_object().member("kind", item.kind).member("name", item.name);
    out.member("result", item.result).key("id").raw(item.id.empty() ? "null" : item.id);
    out.end_object();
  }
  out.end_array();
  if (context.format == Format::json)
    print_json(context, json);
  else
    context.print(table.csv());
}

// Sends some of the declarations. Errors: the first that was refused, by its place; what was done
// before it is in `done`.
Outcome<void> send(const Context& context, Service& service, std::span<const Declaration> part,
                   std::vector<Applied>& done) {
  std::string body = R"({"items":[)";
  for (const Declaration& one : part) body += one.json + ',';
  body.back() = ']';
  body += '}';
  const auto answer = service.post("/v1/apply", body);
  if (!answer) return std::unexpected(answer.error());
  std::size_t index = 0;
  answer->json["items"].each_item([&](JsonValue item) {
    // The service says of a member only one of its names.
    const std::string name = index < part.size() ? part[index].name : raw_text(item["name"]);
    done.push_back({raw_text(item["kind"]), name, raw_text(item["result"]), raw_text(item["id"])});
    ++index;
    return true;
  });
  const JsonValue refused = answer->json["refused"];
  if (!refused.is_object()) return {};
  Stop why =
      stop_of_problem(context, refused["problem"],
                      std::string(raw_member(raw_member(answer->body, "refused"), "problem")));
  const std::uint64_t at = refused["index"].unsigned_integer().value_or(part.size());
  if (at < part.size()) {
    const Declaration& one = part[at];
    why.why = one.place + ": " + said_of(one.kind, one.name) + ": " + why.why;
  }
  return std::unexpected(std::move(why));
}

}  // namespace

Outcome<int> apply_file(Context& context, const Words& words) {
  std::vector<std::string> paths;
  bool dry = false;
  Options options(*words.command, "-f FILE|DIR|- ... [--dry-run]");
  options.values("-f,--file", "FILE", paths, Phrase::opt_apply_file)
      .flag("--dry-run", dry, Phrase::opt_dry_run);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (paths.empty())
    return stop(Exit::usage, "usage", context.say(Phrase::usage_missing, "-f FILE"),
                context.say(Phrase::hint_help, "apply"));

  const auto declarations = read_all(context, paths);
  if (!declarations) return std::unexpected(declarations.error());
  Service service(context);
  if (dry) return dry_run(context, service, *declarations);

  // A request may be 1 MiB and 10,000 declarations.
  constexpr std::size_t bytes_max = 900'000, items_max = 5'000;
  std::vector<Applied> done;
  Outcome<void> sent;
  for (std::size_t begin = 0; begin < declarations->size() && sent;) {
    std::size_t end = begin, bytes = 0;
    while (end < declarations->size() && end - begin < items_max &&
           (end == begin || bytes + (*declarations)[end].json.size() < bytes_max)) {
      bytes += (*declarations)[end++].json.size() + 1;
    }
    sent = send(context, service, std::span(*declarations).subspan(begin, end - begin), done);
    begin = end;
  }
  if (sent || !done.empty()) print_results(context, done);
  if (!sent) return std::unexpected(sent.error());
  return 0;
}

}  // namespace tenbin::cli

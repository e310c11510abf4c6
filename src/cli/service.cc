#include "cli/service.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "cli/answers.h"
#include "cli/contexts.h"
#include "cli/values.h"
#include "cli/width.h"

namespace tenbin::cli {

namespace {

struct SmallFile {
  std::string line;
  bool open_to_others = false;
};

// The first line of a small file, without blanks around it.
std::optional<SmallFile> read_line(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  struct stat about{};
  char buffer[4096];
  const ssize_t size = ::fstat(fd, &about) == 0 ? ::read(fd, buffer, sizeof buffer) : -1;
  ::close(fd);
  if (size < 0) return std::nullopt;
  std::string_view text(buffer, static_cast<std::size_t>(size));
  text = text.substr(0, text.find('\n'));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r')) text.remove_suffix(1);
  return SmallFile{std::string(text), (about.st_mode & 077) != 0};
}

std::string state_folder(const Surroundings& around) {
  if (std::string folder = around.variable("TENBIN_STATE"); !folder.empty()) return folder;
  if (const std::string xdg = around.variable("XDG_STATE_HOME"); !xdg.empty())
    return xdg + "/tenbin";
  return around.variable("HOME") + "/.local/state/tenbin";
}

std::string_view without_slash(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  return url;
}

// What went wrong with a connection, as net::Client words it.
enum class Trouble : std::uint8_t { nobody_listens, lost, hopeless };
Trouble trouble_of(std::string_view what, std::string_view url) {
  if (what.starts_with("cannot connect to ")) return Trouble::nobody_listens;
  std::string_view authority = url.substr(std::min(url.find("//") + 2, url.size()));
  authority = authority.substr(0, authority.find('/'));
  const bool spoken = what.starts_with(std::string(authority) + ": ");
  const bool nonsense = what.find("answer is") != std::string_view::npos ||
                        what.find("too large") != std::string_view::npos;
  return spoken && !nonsense ? Trouble::lost : Trouble::hopeless;
}

std::optional<Phrase> hint_of(std::string_view code) {
  struct Hint {
    std::string_view code;
    Phrase phrase;
  };
  constexpr Hint hints[] = {
      {"insufficient_credit", Phrase::hint_credit}, {"no_credit", Phrase::hint_credit},
      {"unauthorised", Phrase::hint_token},         {"not_permitted", Phrase::hint_whoami},
      {"name_taken", Phrase::hint_name_taken},      {"no_pool_fits", Phrase::hint_fleet},
      {"unknown_job", Phrase::hint_jobs},           {"body_too_large", Phrase::hint_split},
  };
  const auto* found = std::ranges::find(hints, code, &Hint::code);
  if (found == std::end(hints)) return std::nullopt;
  return found->phrase;
}

}  // namespace

Exit exit_of(int status) {
  switch (status) {
    case 400: return Exit::usage;
    case 401:
    case 403: return Exit::auth;
    case 402: return Exit::credit;
    case 404: return Exit::not_found;
    case 409: return Exit::conflict;
    default: return Exit::failed;
  }
}

Stop stop_of_problem(const Context& context, JsonValue problem, std::string text) {
  const std::string code(problem["code"].text().value_or("internal_error"));
  const JsonValue texts = problem["texts"];
  auto why = texts[context.look.language == Language::japanese ? "ja" : "en"].text();
  if (!why) why = problem["detail"].text();
  if (!why) why = problem["title"].text();
  Stop result{.exit = exit_of(static_cast<int>(problem["status"].integer().value_or(500))),
              .code = code,
              .why = printable(why.value_or(code)),
              .problem = std::move(text)};
  // What the API itself refuses is worded by its detail, which names the field.
  if (code == "invalid_field" || code == "malformed_request") {
    if (const auto detail = problem["detail"].text();
        detail && result.why.find(*detail) == std::string::npos) {
      result.why += ": " + printable(*detail);
    }
  }
  if (const auto hint = hint_of(code)) result.hint = context.say(*hint);
  return result;
}

Outcome<Place> find_service(const Context& context) {
  const Surroundings& around = context.around;
  Place place;
  const std::string folder = state_folder(around);
  std::optional<SavedContext> saved;  // the context whose URL is used
  const std::string& asked = context.flags.context;
  const std::string wanted = asked.empty() ? around.variable("TENBIN_CONTEXT") : asked;

  place.url = context.flags.url;
  place.url_from = "--url";
  if (place.url.empty() && asked.empty()) {
    place.url = around.variable("TENBIN_URL");
    place.url_from = "TENBIN_URL";
  }
  if (place.url.empty()) {
    const auto contexts = read_contexts(context);
    if (!contexts) return std::unexpected(contexts.error());
    const std::string& name = wanted.empty() ? contexts->current : wanted;
    if (const SavedContext* found = contexts->find(name)) {
      saved = *found;
      place.url = found->url;
      place.url_from = "context " + name;
    } else if (!name.empty()) {
      return stop(Exit::not_found, "unknown_context", context.say(Phrase::unknown_context, name),
                  context.say(Phrase::hint_contexts));
    }
  }
  const auto local_url = read_line(folder + "/url");
  if (place.url.empty() && local_url) {
    place.url = local_url->line;
    place.url_from = folder + "/url";
  }
  if (place.url.empty()) {
    return stop(Exit::unreachable, "no_service", context.say(Phrase::no_url, folder + "/url"),
                context.say(Phrase::hint_serve));
  }

  if (const std::string& path = context.flags.token_file; !path.empty()) {
    const auto file = read_line(path);
    if (!file || file->line.empty()) {
      return stop(Exit::auth, "no_token", context.say(Phrase::token_file_unreadable, path),
                  context.say(Phrase::hint_token));
    }
    if (file->open_to_others) context.note(context.say(Phrase::token_file_open, path));
    place.token = file->line;
    place.token_from = path;
    return place;
  }
  const bool named = saved && !asked.empty() && !saved->token.empty();
  if (place.token = around.variable("TENBIN_TOKEN"); !place.token.empty() && !named) {
    place.token_from = "TENBIN_TOKEN";
  } else if (saved && !saved->token.empty()) {
    place.token = saved->token;
    place.token_from = place.url_from;
  } else if (local_url && without_slash(local_url->line) == without_slash(place.url)) {
    if (const auto file = read_line(folder + "/admin.token")) {
      place.token = file->line;
      place.token_from = folder + "/admin.token";
    }
  }
  if (place.token.empty()) {
    return stop(Exit::auth, "no_token", context.say(Phrase::no_token, folder + "/admin.token"),
                context.say(Phrase::hint_token));
  }
  return place;
}

Outcome<net::EventReader> Service::events(const std::string& target, const std::string& last_id) {
  if (auto located = locate(); !located) return std::unexpected(located.error());
  net::Headers headers = {
      {"Authorization", "Bearer " + token_},
      {"Accept-Language", context_.look.language == Language::japanese ? "ja" : "en"},
      {"Accept", "text/event-stream"},
  };
  if (!last_id.empty()) headers.emplace_back("Last-Event-ID", last_id);
  auto reader = net::EventReader::open(url_, target, headers, Span{15'000}, authorities_);
  if (!reader) {
    return stop(Exit::unreachable, "no_service",
                context_.say(Phrase::no_answer, url_, reader.error().what),
                context_.say(Phrase::hint_serve));
  }
  if (const net::Response* refused = reader->refusal()) return std::unexpected(refusal(*refused));
  return *std::move(reader);
}

Outcome<void> watch_events(const Context& context, Service& service, const Interest& interest,
                           Span at_most) {
  constexpr Span pause{1'000};   // between questions where there is no stream
  constexpr Span together{100};  // what happens within this is shown at once
  if (!service.news_ && !service.no_news_) {
    Query query;
    query.add("project", interest.project).add("job", interest.job);
    auto opened = service.events("/v1/events" + query.text(), {});
    // What happened before it was open is seen by looking again now.
    if (opened) service.news_.emplace(*std::move(opened));
    if (opened) return {};
    service.no_news_ = opened.error().exit != Exit::unreachable;
  }
  if (!service.news_) {
    context.around.sleep(std::min(pause, at_most));
    return {};
  }
  net::StreamEvent event;
  auto got = service.news_->next(event, at_most);
  while (got && *got == net::EventReader::Got::event && event.event != "stopping")
    got = service.news_->next(event, together);
  if (!got || *got != net::EventReader::Got::nothing) {
    // It broke off or ended: another is opened next time, when the service may be there again.
    service.news_.reset();
    context.around.sleep(pause);
  }
  return {};
}

Outcome<void> Service::locate() {
  if (client_) return {};
  auto place = find_service(context_);
  if (!place) return std::unexpected(place.error());
  url_ = std::move(place->url);
  token_ = std::move(place->token);
  authorities_ = context_.around.variable("TENBIN_CA_FILE");
  client_.emplace(url_, authorities_);
  return {};
}

Outcome<Answer> Service::get(const std::string& target, Span timeout) {
  return send("GET", target, {}, timeout);
}

Outcome<Answer> Service::post(const std::string& target, const std::string& body) {
  return send("POST", target, body, Span{60'000});
}

Outcome<Answer> Service::send(std::string_view method, const std::string& target,
                              const std::string& body, Span timeout) {
  if (auto located = locate(); !located) return std::unexpected(located.error());

  net::Headers headers = {
      {"Authorization", "Bearer " + token_},
      {"Accept-Language", context_.look.language == Language::japanese ? "ja" : "en"},
  };
  if (method == "POST") {
    headers.emplace_back("Content-Type", "application/json");
    headers.emplace_back("Idempotency-Key", new_uuid());
  }

  Span pause{500}, left = context_.patience;
  for (bool first = true;; first = false) {
    auto response = client_->send(method, target, headers, body, timeout);
    if (response && response->status != 503) {
      if (response->status >= 300) return std::unexpected(refusal(*response));
      Answer answer{.body = std::move(response->body),
                    .next_offset = std::string(response->header("Tenbin-Next-Offset"))};
      if (response->content_type.starts_with("application/json")) {
        const auto json = answer.document.parse(answer.body);
        if (!json)
          return stop(Exit::failed, "bad_answer",
                      context_.say(Phrase::bad_answer, url_, json.error().what));
        answer.json = *json;
      }
      return answer;
    }

    const Trouble trouble = response ? Trouble::lost : trouble_of(response.error().what, url_);
    const bool again = trouble == Trouble::lost ||
                       (trouble == Trouble::nobody_listens && (!first || context_.patience_asked));
    if (!again || left <= Span{0}) {
      if (response) return std::unexpected(refusal(*response));
      return stop(Exit::unreachable, "no_service",
                  context_.say(Phrase::no_answer, url_, response.error().what),
                  context_.say(Phrase::hint_serve));
    }
    pause = std::min(pause, left);
    context_.progress(context_.say(Phrase::trying_again, url_));
    context_.around.sleep(pause);
    left -= pause;
    pause = std::min(Span{pause.count * 3}, Span{3'000});
  }
}

Stop Service::refusal(const net::Response& response) const {
  JsonDocument document;
  const auto json = document.parse(response.body);
  if (!json || !(*json)["code"].text()) {
    return {.exit = exit_of(response.status),
            .code = "http_" + std::to_string(response.status),
            .why = context_.say(Phrase::bad_status, url_, response.status)};
  }
  Stop result = stop_of_problem(context_, *json, response.body);
  result.exit = exit_of(response.status);
  return result;
}

}  // namespace tenbin::cli

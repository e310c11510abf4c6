#include "cli/contexts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/toml.h"

namespace tenbin::cli {

namespace {

std::string why_of(int error) {
  return std::generic_category().message(error);
}

std::string folder_of(const Surroundings& around) {
  const std::string xdg = around.variable("XDG_CONFIG_HOME");
  return (xdg.empty() ? around.variable("HOME") + "/.config" : xdg) + "/tenbin";
}

std::unexpected<Stop> unwritable(const Context& context, const std::string& path, int error) {
  return stop(Exit::failed, "file_unwritable",
              context.say(Phrase::file_unwritable, path, why_of(error)));
}

// A TOML text in double quotes.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

const SavedContext* Contexts::find(std::string_view name) const {
  const auto found = std::ranges::find(all, name, &SavedContext::name);
  return found == all.end() ? nullptr : &*found;
}

std::string contexts_path(const Surroundings& around) {
  return folder_of(around) + "/contexts.toml";
}

Outcome<Contexts> read_contexts(const Context& context) {
  const std::string path = contexts_path(context.around);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return Contexts{};
  struct stat about{};
  std::string text;
  char buffer[4096];
  ssize_t n = fd < 0 ? -1 : ::fstat(fd, &about);
  while (n >= 0 && (n = ::read(fd, buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(n));
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (n < 0) {
    return stop(Exit::failed, "file_unreadable",
                context.say(Phrase::file_unreadable, path, why_of(error)));
  }
  if ((about.st_mode & 077) != 0) context.note(context.say(Phrase::token_file_open, path));

  const auto malformed = [&](auto line, const std::string& why) {
    return stop(Exit::usage, "malformed_file", path + ":" + std::to_string(line) + ": " + why);
  };
  try {
    const toml::table file = toml::parse(text, path);
    Contexts contexts{.current = file["current"].value_or(std::string()), .all = {}};
    const toml::array* tables = file["context"].as_array();
    for (std::size_t i = 0; tables && i < tables->size(); ++i) {
      const toml::table* table = (*tables)[i].as_table();
      SavedContext one;
      if (table) {
        one = {(*table)["name"].value_or(std::string()), (*table)["url"].value_or(std::string()),
               (*table)["token"].value_or(std::string())};
      }
      if (one.name.empty() || one.url.empty()) {
        return malformed((*tables)[i].source().begin.line,
                         context.say(Phrase::field_missing, "context", "name url"));
      }
      contexts.all.push_back(std::move(one));
    }
    return contexts;
  } catch (const toml::parse_error& e) {
    return malformed(e.source().begin.line, context.say(Phrase::toml_syntax, e.description()));
  }
}

Outcome<void> write_contexts(const Context& context, const Contexts& contexts) {
  std::string text = "current = " + quoted(contexts.current) + "\n";
  for (const SavedContext& one : contexts.all) {
    text += "\n[[context]]\nname = " + quoted(one.name) + "\nurl = " + quoted(one.url) + "\n";
    if (!one.token.empty()) text += "token = " + quoted(one.token) + "\n";
  }

  const std::string folder = folder_of(context.around);
  for (std::size_t slash = folder.find('/', 1);; slash = folder.find('/', slash + 1)) {
    const std::string part = folder.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
      return unwritable(context, part, errno);
    if (slash == std::string::npos) break;
  }
  const std::string path = contexts_path(context.around);
  std::string draft = path + ".XXXXXX";
  const int fd = ::mkostemp(draft.data(), O_CLOEXEC);  // mode 0600
  if (fd < 0) return unwritable(context, path, errno);
  int error = 0;
  for (std::string_view left = text; !left.empty() && error == 0;) {
    const ssize_t n = ::write(fd, left.data(), left.size());
    if (n > 0) left.remove_prefix(static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) error = errno;
  }
  if (error == 0 && ::fsync(fd) != 0) error = errno;
  ::close(fd);
  if (error == 0 && ::rename(draft.c_str(), path.c_str()) != 0) error = errno;
  if (error == 0) return {};
  ::unlink(draft.c_str());
  return unwritable(context, path, error);
}

}  // namespace tenbin::cli

#include <fcntl.h>
#include <sys/random.h>

#include <algorithm>

#include "api/api.h"
#include "api/page.h"
#include "codec/hash.h"

namespace tenbin {

namespace {

// Enough to tell tokens apart, and far from enough to guess the other 240 bits.
constexpr std::size_t hint_characters = 4;
constexpr Span token_life{365LL * 86'400'000};

std::string new_secret() {
  Hash random;
  std::size_t got = 0;
  while (got < random.bytes.size()) {
    const ssize_t n = ::getrandom(random.bytes.data() + got, random.bytes.size() - got, 0);
    if (n > 0) got += static_cast<std::size_t>(n);
  }
  return "tnb_" + to_hex(random);
}

}  // namespace

// The secret is looked up by its hash. How long that takes can tell something about hashes, and
// nothing about a secret: 256 random bits cannot be found from the beginning of their hash.
Hash token_hash(const net::Request& request) {
  constexpr std::string_view scheme = "Bearer ";
  const std::string_view header = request.header("Authorization");
  if (header.starts_with(scheme)) return hash_of(header.substr(scheme.size()));
  // A browser cannot give a stream of events a header. Nothing else takes the cookie, so that no
  // page of others can make a browser command anything.
  if (request.method == "GET" && request.path == "/v1/events") {
    if (const auto token = page::token_in(request.header("Cookie"))) return hash_of(*token);
  }
  return Hash{};
}

std::optional<Caller> Api::recognise(const net::Request& request) const {
  const Hash token = token_hash(request);
  const Language language = language_of(request.header("Accept-Language"));
  return live_.read([&](const World& world) { return caller_of(world, token, language); });
}

std::optional<Caller> Api::caller_of(const World& world, const Hash& hash,
                                     Language language) const {
  const auto found = world.index.tokens.find(hash);
  if (found == world.index.tokens.end()) return std::nullopt;
  const Token& token = world.tokens.at(found->second);
  const Person& person = world.persons.at(token.person);
  if (token.revoked || live_.now() >= token.expires || person.disabled) return std::nullopt;
  return Caller{.person = token.person,
                .role = person.role,
                .read_only = token.read_only,
                .language = language};
}

void Api::whoami(const CallPtr& call) {
  std::string body = live_.read([&](const World& world) {
    const Person& person = world.persons.at(call->caller.person);
    std::string text;
    JsonWriter out(text);
    out.begin_object().member("person", person.name).member("title", person.title);
    out.member("role", name_of(person.role)).member("read_only", call->caller.read_only);
    const auto mine = [&](const Members& members) {
      return std::ranges::find(members, call->caller.person, &Membership::person);
    };
    out.key("projects").begin_array();
    world.projects.each([&](ProjectId, const Project& p) {
      if (mine(p.members) != p.members.end()) out.value(p.name);
    });
    out.end_array().key("roles").begin_array();
    const auto write_roles = [&](std::string_view kind, const auto& rows) {
      rows.each([&](auto, const auto& row) {
        const auto m = mine(row.members);
        if (m == row.members.end()) return;
        out.begin_object().member(kind, row.name);
        out.member("role", name_of(m->role));
        out.end_object();
      });
    };
    write_roles("programme", world.programmes);
    write_roles("project", world.projects);
    out.end_array().end_object();
    return text;
  });
  call->reply(ok(std::move(body)));
}

void Api::create_token(const CallPtr& call) {
  const auto id = request_id(call);
  if (!id) return;
  const auto body = body_of(call);
  if (!body) return;
  Message message;
  Fields f(*body, message.texts);
  CreateToken c{.person = f.text("person"), .label = f.text("label", Need::optional)};
  const Text scope = f.text("scope", Need::optional);
  if (!scope.empty() && scope != "full" && scope != "read")
    f.complain("scope", "expected full or read", "full か read を指定してください");
  c.read_only = scope == "read";
  c.expires = f.instant("expires", live_.now() + token_life, Need::optional);
  if (auto complaint = f.finish()) return call->deny(*complaint);
  const std::string secret = new_secret();
  c.hash = hash_of(secret);
  c.hint = message.texts.text(std::string_view(secret).substr(secret.size() - hint_characters));
  // The secret is made here and never stored, so a repeat cannot be answered with it again: the
  // request is asked without its id, and a repeat makes another token.
  message.asked.command = c;
  ask(call, std::move(message), [secret](const Answer& answer) {
    std::string text;
    JsonWriter out(text);
    out.begin_object().member("id", *answer.decision).member("token", secret).end_object();
    return ok(std::move(text), 201);
  });
}

void Api::remove_member(const CallPtr& call) {
  const auto id = request_id(call);
  if (!id) return;
  const auto body = body_of(call);
  if (!body) return;
  Message message;
  Fields f(*body, message.texts);
  const RemoveMember c{.project = f.text("project", Need::optional),
                       .person = f.text("person"),
                       .programme = f.text("programme", Need::optional)};
  if (auto complaint = f.finish()) return call->deny(*complaint);
  message.asked.request = *id;
  message.asked.command = c;
  ask(call, std::move(message), [person = std::string(c.person)](const Answer& answer) {
    std::string text;
    JsonWriter out(text);
    out.begin_object().member("kind", "member").member("name", person);
    out.member("result", answer.changed ? "removed" : "unchanged").end_object();
    return ok(std::move(text));
  });
}

void Api::set_person(const CallPtr& call, const std::string& person, const std::string& verb) {
  const auto id = request_id(call);
  if (!id) return;
  Message message;
  message.asked.request = *id;
  const Text name = message.texts.text(person);
  if (verb == "disable") {
    message.asked.command = DisablePerson{name};
  } else {
    message.asked.command = EnablePerson{name};
  }
  ask(call, std::move(message), [person, disabled = verb == "disable"](const Answer&) {
    std::string text;
    JsonWriter out(text);
    out.begin_object().member("person", person).member("disabled", disabled).end_object();
    return ok(std::move(text));
  });
}

void Api::revoke_token(const CallPtr& call, TokenId token) {
  const auto id = request_id(call);
  if (!id) return;
  Message message;
  message.asked.request = *id;
  message.asked.command = RevokeToken{token};
  ask(call, std::move(message), [token](const Answer&) {
    std::string text;
    JsonWriter out(text);
    out.begin_object().member("id", token.value).member("revoked", true).end_object();
    return ok(std::move(text));
  });
}

}  // namespace tenbin

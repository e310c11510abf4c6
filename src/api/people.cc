#include <fcntl.h>
#include <sys/random.h>

#include "api/api.h"
#include "codec/hash.h"

namespace tenbin {

namespace {

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

// The secret is looked up by its hash: how long that takes tells nothing about any secret.
Hash token_hash(const net::Request& request) {
  constexpr std::string_view scheme = "Bearer ";
  const std::string_view header = request.header("Authorization");
  return header.starts_with(scheme) ? hash_of(header.substr(scheme.size())) : Hash{};
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
  if (token.revoked || live_.now() >= token.expires) return std::nullopt;
  return Caller{token.person, world.persons.at(token.person).role, language};
}

void Api::whoami(const CallPtr& call) {
  std::string body = live_.read([&](const World& world) {
    const Person& person = world.persons.at(call->caller.person);
    std::string text;
    JsonWriter out(text);
    out.begin_object().member("person", person.name).member("title", person.title);
    out.member("role", enum_names(Role{})[static_cast<std::size_t>(person.role)])
        .key("projects")
        .begin_array();
    world.projects.each([&](ProjectId, const Project& p) {
      for (const PersonId member : p.members) {
        if (member == call->caller.person) out.value(p.name);
      }
    });
    out.end_array().end_object();
    return text;
  });
  call->reply(ok(std::move(body)));
}

void Api::create_token(const CallPtr& call) {
  const auto id = request_id(call);
  if (!id) return;
  const auto body = document_.parse(call->request.body);
  Message message;
  const auto refuse_it = [&](const Complaint& c) {
    call->reply(problem(c, call->caller.language));
  };
  if (!body)
    return refuse_it({400, "malformed_request", "the body is not JSON: " + body.error().what,
                      "本文が JSON ではありません"});
  Fields f(*body, message.texts);
  CreateToken c{.person = f.text("person"), .label = f.text("label", Need::optional)};
  c.expires = f.instant("expires", live_.now() + token_life, Need::optional);
  if (auto complaint = f.finish()) return refuse_it(*complaint);
  const std::string secret = new_secret();
  c.hash = hash_of(secret);
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

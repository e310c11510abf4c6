#include "core/declare.h"

// A token lets a person in. The World knows its hash only.

namespace tenbin {

Decision decide(const World& world, const Asked&, const CreateToken& c, Instant now, Facts& facts) {
  const PersonId person = find_name(world.index.persons, c.person);
  if (!person) return std::unexpected(refuse(Reason::unknown_person));
  if (c.label.size() > title_bytes_max) {
    return std::unexpected(
        refuse(Reason::title_too_long, static_cast<std::int64_t>(title_bytes_max)));
  }
  if (world.persons.at(person).disabled) return std::unexpected(refuse(Reason::person_disabled));
  if (!valid_utf8(c.label) || !valid_utf8(c.hint) || c.hint.size() > hint_bytes_max)
    return std::unexpected(refuse(Reason::text_invalid));
  if (c.expires <= now || c.expires > instant_max)
    return std::unexpected(refuse(Reason::validity_invalid));
  if (!c.hash || world.index.tokens.contains(c.hash))
    return std::unexpected(refuse(Reason::name_in_use));
  const TokenId id = world.tokens.next_id();
  facts.add(TokenCreated{id, person, facts.text(c.label), c.hash, c.expires, facts.text(c.hint),
                         c.read_only});
  return id.value;
}

Decision decide(const World& world, const Asked&, const RevokeToken& c, Instant, Facts& facts) {
  const Token* token = world.tokens.find(c.token);
  if (!token) return std::unexpected(refuse(Reason::unknown_token));
  if (!token->revoked) facts.add(TokenRevoked{c.token});
  return c.token.value;
}

void evolve(World& world, const TokenCreated& e, Instant) {
  const TokenId id = world.tokens.add({.person = e.person,
                                       .label = std::string(e.label),
                                       .hash = e.hash,
                                       .expires = e.expires,
                                       .hint = std::string(e.hint),
                                       .read_only = e.read_only});
  TENBIN_ASSERT(id == e.token);
  world.index.tokens.emplace(e.hash, id);
}

void evolve(World& world, const TokenRevoked& e, Instant) {
  world.tokens.at(e.token).revoked = true;
}

}  // namespace tenbin

#include <array>

#include "api/api.h"
#include "codec/hash.h"

// The journal as it is written, for who has to check it: sequence, instant, hash of the chain,
// body.

namespace tenbin {

namespace {

constexpr std::size_t journal_bytes_max =
    4 * 1024 * 1024;  // of one answer, but one record at least

}  // namespace

void Api::journal(const CallPtr& call) {
  const bool seen = live_.read(
      [&](const World& world) { return may_see(world, call->caller, Question::journal); });
  if (!seen) return call->deny(refuse(Reason::not_permitted));
  static constexpr std::array<std::string_view, 2> forms{"json", "text"};
  Query query(call->query);
  const auto from = static_cast<std::uint64_t>(query.integer("from", 1, INT64_MAX, 1));
  const auto limit = static_cast<std::size_t>(query.integer("limit", 1, page_max, 100));
  const bool as_text = query.choice("as", forms) == "text";
  if (query.finish()) return call->deny(*query.finish());
  slowly([this, call, from, limit, as_text] {
    const std::uint64_t last = live_.sequence();  // what is written and not yet seen is no one's
    std::string body;
    JsonWriter out(body);
    out.begin_object().key("items").begin_array();
    std::size_t count = 0;
    std::uint64_t next = 0;
    const auto read = live_.journal().read(from, [&](const Record& record) {
      if (record.sequence > last) return false;
      if (count == limit || (count > 0 && body.size() + record.body.size() > journal_bytes_max)) {
        next = record.sequence;
        return false;
      }
      ++count;
      out.begin_object().member("sequence", record.sequence).member("at", text_of(record.at));
      out.member("at_ms", record.at.ms).member("hash", to_hex(record.hash));
      if (as_text) {
        out.member("body", record.body);
      } else {
        out.key("record").raw(record.body);
      }
      out.end_object();
      return true;
    });
    if (!read) return call->deny(internal_error());
    out.end_array();
    member_or_null(out, "next", next != 0, next);
    out.member("last", last).end_object();
    call->reply(ok(std::move(body)));
  });
}

}  // namespace tenbin

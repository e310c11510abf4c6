#include "live/verify.h"

#include <bit>
#include <string>

#include "codec/hash.h"
#include "codec/record.h"
#include "codec/snapshot.h"
#include "core/schedule/schedule.h"

namespace tenbin {

namespace {

std::string text_of_events(std::span<const Event> events) {
  std::string text;
  JsonWriter out(text);
  out.begin_array();
  for (const Event& event : events) write_event(out, event);
  out.end_array();
  return text;
}

void add_up(const World& world, Verification& result) {
  world.funders.each([&](FunderId, const Funder& f) {
    const Account& account = world.accounts.at(f.account);
    result.promised += account.overdraft;
    result.in_lots += account.debits_posted;
  });
  world.lots.each([&](LotId, const Lot& lot) {
    result.unallocated += world.accounts.at(lot.unallocated).free();
    result.expired += world.accounts.at(lot.gone).balance();
  });
  world.shares.each([&](ShareId, const Share& share) {
    const Account& free = world.accounts.at(share.free);
    result.free += free.free();
    result.held += free.debits_pending;
    result.spent += world.accounts.at(share.used).balance();
  });
  world.jobs.each([&](JobId, const Job& job) { result.live_jobs += job.tasks(); });
}

}  // namespace

Result<Verification> verify(Journal& journal, const std::function<void(std::uint64_t)>& progress,
                            World* end) {
  Verification result;
  World world;
  Hash last;
  JsonDocument document;
  Facts facts, again;
  Result<void> good;
  auto snapshot = journal.newest_snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  // One of an older version cannot be compared; the journal is all that counts.
  if (*snapshot && is_older_snapshot((*snapshot)->bytes)) snapshot->reset();
  const auto read = journal.read(1, [&](const Record& record) {
    const auto wrong = [&](const std::string& what) {
      good = failed("record " + std::to_string(record.sequence) + ": " + what);
      return false;
    };
    if (record.sequence != result.records + 1) return wrong("the record before it is missing");
    const Hash hash = chain(last, record.sequence, record.at, record.body);
    if (hash != record.hash)
      return wrong("its hash does not continue the chain: it or one before it was altered");
    last = hash;
    facts.clear();
    const auto decoded = read_record(document, record.body, facts);
    if (!decoded) return wrong(decoded.error().what);
    if (record.at < world.now) return wrong("it lies before the record before it");

    if (decoded->rules == rules_version) {
      // The owner's World, evolved by its own decisions, against what the journal says.
      again.clear();
      static_cast<void>(apply(world, decoded->asked, record.at, again));
      if (text_of_events(again.events()) != text_of_events(facts.events())) {
        return wrong("deciding it again gives other events: " +
                     text_of_events(again.events()).substr(0, 400));
      }
      ++result.redecided;
    } else {
      for (const Event& event : facts.events()) tenbin::record(world, event, record.at);
    }
    ++result.records;
    result.events += facts.size();
    if (std::has_single_bit(result.records)) {
      if (const auto broken = broken_promise(world); !broken.empty())
        return wrong("no longer holds: " + std::string(broken));
    }
    if (*snapshot && (*snapshot)->sequence == record.sequence &&
        ((*snapshot)->chain != record.hash || (*snapshot)->bytes != encode(world))) {
      return wrong("the snapshot that was taken after it is not what the journal says");
    }
    if (progress && result.records % 10'000 == 0) progress(result.records);
    return true;
  });
  if (!read) return std::unexpected(read.error());
  if (!good) return std::unexpected(good.error());
  if (const auto broken = broken_promise(world); !broken.empty()) {
    return failed("at the end does not hold: " + std::string(broken));
  }
  add_up(world, result);
  if (result.unallocated + result.free + result.held + result.spent + result.expired !=
      result.in_lots) {
    return failed("credits do not add up");
  }
  if (*snapshot) {
    if ((*snapshot)->sequence > result.records)
      return failed("a snapshot is newer than the journal");
    if (auto decoded = decode_world((*snapshot)->bytes); !decoded) {
      return failed("snapshot " + std::to_string((*snapshot)->sequence) + ": " +
                    decoded.error().what);
    }
  }
  result.history = world.history;
  result.chain = last;
  if (end) *end = std::move(world);
  return result;
}

}  // namespace tenbin

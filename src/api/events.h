#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "live/live.h"
#include "net/http.h"

// What happens, as server-sent events (docs/api.md). Each event is put into words once, when its
// record is published, and kept in one list for each filter that some stream has; a stream is a
// place in that list. What is older than the list is read from the journal.

namespace tenbin {

/// Who may see an event. Decided once for each; whether one of them is the reader is asked when it
/// is sent, so that rights that were taken away hold at once.
enum class Audience : std::uint8_t {
  everyone,    // who has a token: the fleet and its prices
  project,     // who may see the jobs of `project`
  members,     // who may see who has which role in `project`
  allocation,  // who may see what `project` was given
  person,      // `person`, and who may see everybody's tokens
  all_seeing,  // who sees everything
  nobody,      // the service's own bookkeeping
};
struct Happening {
  std::uint64_t sequence = 0;
  std::uint32_t index = 0;  // in its record
  std::uint8_t kind = 0;    // index in Event
  Audience audience = Audience::nobody;
  ProjectId project;
  PersonId person;
  JobId job;
};

/// The event's audience and subject; `project` is that of its job, if it is about one.
Happening happening_of(const World& world, const Event& event, ProjectId project);

/// Appends the event as one message of a stream.
void write_happening(std::string& out, const World& world, const Happening& what,
                     const Event& event, Instant at, PersonId by);

/// The place after which a stream goes on: after this event of this record.
struct Place {
  std::uint64_t sequence = 0;
  std::uint32_t index = UINT32_MAX;  // all of the record's

  auto operator<=>(const Place&) const = default;
};
/// "12.3", or "12" for all of record 12.
std::optional<Place> parse_place(std::string_view text);

struct EventFilter {
  /// Whether it is for this; not whether its reader may see it.
  bool takes(const Happening& what) const {
    return (kinds == 0 || (kinds >> what.kind & 1) != 0) && (!project || what.project == project) &&
           (!job || what.job == job);
  }

  ProjectId project;        // none: all
  JobId job;                // none: all
  std::uint64_t kinds = 0;  // bit i: index i in Event; 0: all
  bool follow = true;       // what comes too; else the stream ends where it has caught up
};

/// Threads: `published` on the publisher's; streams on the server's; the journal is read by whoever
/// runs what `slowly` is given.
class EventHub {
 public:
  struct Ways {
    std::function<void(std::function<void()>)> slowly;  // runs it on another thread
    std::function<void()> wake;                         // says that streams have news
  };
  /// Whether who opened the stream may see this.
  using Sees = std::function<bool(const Happening&)>;
  /// Asked before each part of a stream, with the World locked for reading; nothing if who opened
  /// it may read nothing any more. From several threads.
  using Reader = std::function<std::optional<Sees>(const World&)>;

  EventHub(Live& live, Ways ways);
  ~EventHub();

  void published(std::span<const Published> records, const World& world);

  /// A stream of what happens after `from`, or from now on. Nothing if `from` has not happened yet.
  std::shared_ptr<net::Stream> open(std::optional<Place> from, EventFilter filter, Reader reader);
  /// The last record that was published.
  std::uint64_t last() const;

 private:
  struct Shared;
  class Subscription;
  std::shared_ptr<Shared> shared_;
};

}  // namespace tenbin

#pragma once

// What the live driver needs from outside, and nothing more: a journal that keeps what was
// decided, an executor that makes attempts run, a history that lists what is over, a clock.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/quantity.h"

namespace tenbin {

// ---- clock ----

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant
  now() = 0;  // wall clock, UTC; may step, the driver never lets ledger time go back
};

// ---- journal ----

/// One record: what was asked and what became true. `body` is one JSON text
/// (docs/formats/journal.md); `hash` chains it to the record before.
struct Record {
  std::uint64_t sequence = 0;  // 1, 2, 3 ...
  Instant at;
  Hash hash;
  std::string body;
};

/// Bytes kept under their own hash, for example the command, script and environment of a job.
struct Blob {
  Hash hash;
  std::string bytes;
};

/// The World encoded as it was after record `sequence`, whose hash was `chain`.
struct Snapshot {
  std::uint64_t sequence = 0;
  Hash chain;
  std::string bytes;
};

class Journal {
 public:
  virtual ~Journal() = default;

  /// Writes all of it in one transaction. When it returns without error the records survive kill -9
  /// and loss of power. After an error the caller must end the process: what is on the disk is
  /// unknown, and nothing of the batch may be shown to anyone.
  virtual Result<void> append(std::span<const Record> records, std::span<const Blob> blobs) = 0;

  /// Calls `visit` for every record from `from` on, in order, until it returns false.
  virtual Result<void> read(std::uint64_t from,
                            const std::function<bool(const Record&)>& visit) = 0;

  /// The bytes under `hash`, if they are there. May be called from another thread than append.
  virtual Result<std::optional<std::string>> blob(const Hash& hash) = 0;

  /// Keeps a snapshot (durable, checked by its own hash) and drops all but the newest two. May be
  /// called from another thread than append, and does not hold it up.
  virtual Result<void> save_snapshot(const Snapshot& snapshot) = 0;

  /// The newest snapshot that is whole, or none. A damaged one is passed over.
  virtual Result<std::optional<Snapshot>> newest_snapshot() = 0;
};

// ---- executor ----

/// One run of one job.
struct AttemptId {
  std::uint64_t job = 0;
  std::uint32_t attempt = 0;  // 1, 2, 3 ...

  constexpr auto operator<=>(const AttemptId&) const = default;
};

/// One member of a gang: what it gets on its node.
struct MemberPlace {
  std::string node;
  std::vector<int> gpus;       // device indexes on that node
  std::int64_t gpu_milli = 0;  // 1000 for each whole GPU; a fraction shares the one device named
};

/// Whom a warning before the time limit is for: see SignalTo in codec/spec.h.
enum class Warned : std::uint8_t { all, shell, steps };

/// Everything that a supervisor needs to run one attempt.
struct AttemptSpec {
  AttemptId id;
  std::uint64_t epoch = 0;    // of the service that starts it
  std::uint64_t project = 0;  // whose work it is: projects are kept apart where that can be done
  std::vector<std::string> argv;                   // what every member runs
  std::map<std::string, std::string> environment;  // on top of a clean one
  std::string directory;             // working directory; empty: one of its own under the work area
  std::vector<MemberPlace> members;  // rank order
  Instant started;                   // of the JobStarted record
  Span time_limit;
  Span grace;                   // between TERM and KILL
  std::int64_t output_cap = 0;  // bytes kept per member and stream

  std::string script;  // if there is one it is run, with argv as its arguments
  // Files below the working directory that get the output too; %t is the member's rank, %% a per
  // cent sign. `error` empty: into `output`. Both empty: none.
  std::string output, error;
  bool append = false;  // to what they hold already
  std::int32_t tasks_per_member = 1;
  std::int32_t signal = 0;  // sent `signal_before` the time limit; 0: none
  Span signal_before;
  Warned signal_to = Warned::all;
};

enum class Outcome : std::uint8_t {
  exited,         // every member ended by itself; `code` is the first non-zero exit status, else 0
  signalled,      // a member was ended by a signal of its own; `code` is the signal
  time_limit,     // stopped because the limit was reached
  stopped,        // stopped because the service asked
  launch_failed,  // could not be started; `words` say why
  lost,           // the supervisor or node is gone, what ran there has ended
};

struct AttemptEnd {
  AttemptId id;
  Outcome outcome = Outcome::lost;
  std::int32_t code = 0;
  Instant ended;      // wall clock of the machine where it ran
  std::string words;  // for a person; may be empty
};

class Executor {
 public:
  virtual ~Executor() = default;

  /// Ends are told to `listener`, from the executor's own thread, at least once each until
  /// `forget`. Call before anything else. When it returns, no listener of before is or will be
  /// called; an empty one ends the telling. Not to be called by a listener.
  virtual void listen(std::function<void(AttemptEnd)> listener) = 0;

  /// Starts an attempt whose start is already in the journal. Never blocks; trouble arrives as
  /// an AttemptEnd. An attempt that was started before is not started again: it is adopted, so that
  /// after a restart of the service the driver simply starts all that the World says is running.
  virtual void start(AttemptSpec spec) = 0;

  /// Asks for TERM, then KILL after the grace. The end arrives as an AttemptEnd.
  virtual void stop(AttemptId id) = 0;

  /// The end of this attempt is in the journal: its bookkeeping may go (its output stays).
  virtual void forget(AttemptId id) = 0;

  /// Where a member's output lies: `stream` is "stdout" or "stderr". The file may not exist yet.
  virtual std::string output_file(AttemptId id, int rank, std::string_view stream) const = 0;
};

// ---- history ----

/// A job that is over, as lists and statements show it. Names, not ids: it outlives the World's
/// rows.
struct SettledJob {
  std::uint64_t job = 0;
  std::uint64_t array = 0;  // its array, 0 if none; of an array the array itself
  std::int32_t task = 0;    // index in the array
  std::uint32_t tasks = 0;  // of an array: how many, and how many of them ended how
  std::uint32_t tasks_completed = 0, tasks_failed = 0, tasks_cancelled = 0;  // the rest: time limit
  std::string project, person, name;
  std::string state;   // completed, failed, cancelled, time_limit
  std::string reason;  // why it was cancelled or failed, if it did not end so by itself
  std::int32_t code = 0;
  std::string labels;        // a JSON object
  std::string shape;         // for people: "2 x 1 GPU"
  std::string region, pool;  // empty if it never started
  std::uint32_t attempts = 0;
  std::int64_t gpus_milli = 0;  // of all members together
  std::uint32_t members = 1;
  Span time_limit;
  Instant submitted, started, ended;  // started is 0 if it never did
  Credits held, charged;
  Hash spec;
};

/// What one lot paid for one job.
struct ChargeRow {
  std::uint64_t sequence = 0;  // of the record
  Instant at;
  std::uint64_t job = 0;
  std::string project, grant, funder, lot;
  Credits amount;
};

/// Ids are given in the order of submission, so both orders are also those of submission.
enum class Order : std::uint8_t { newest_first, oldest_first };

struct HistoryQuery {
  std::string project, person, state, name, region;  // each empty: all
  std::string label;                                 // as in SettledJob::labels: "key":"value"
  std::uint64_t from = 0;                            // only jobs with this id or a larger one
  std::uint64_t before = 0;                          // only jobs with a smaller id; 0: all
  Order order = Order::newest_first;
  std::size_t limit = 100;
  std::size_t look_at = 20'000;  // rows at most: what no index answers is looked for in these
};

struct HistoryPage {
  std::vector<SettledJob> jobs;
  /// The last id that was looked at, if the limit or `look_at` came before the end: what matches up
  /// to it is in `jobs`, what comes after it is not known. 0: there is nothing more.
  std::uint64_t reached = 0;
};

/// A piece of what a project was charged, oldest first.
struct ChargeQuery {
  std::string project;               // empty: all
  Instant from{0}, to{INT64_MAX};    // from inclusive, to exclusive
  Instant after_at{0};               // only what follows this row: its instant
  std::uint64_t after_sequence = 0;  // and its record
  std::size_t limit = 100;
};

/// Read models of what is over, written by a follower of the journal into a file of their own, with
/// a watermark. They can be dropped and built again from the journal.
class History {
 public:
  virtual ~History() = default;

  /// Adds rows and moves the watermark to record `sequence`, in one transaction. Rows of records at
  /// or below the present watermark are ignored, so telling twice is telling once.
  virtual Result<void> follow(std::uint64_t sequence, std::span<const SettledJob> jobs,
                              std::span<const ChargeRow> charges) = 0;
  virtual Result<std::uint64_t> watermark() = 0;

  // Queries may come from another thread than follow.
  virtual Result<std::optional<SettledJob>> job(std::uint64_t id) = 0;
  virtual Result<HistoryPage> jobs(const HistoryQuery& query) = 0;
  /// The first settled job that was submitted at `t` or later, or INT64_MAX.
  virtual Result<std::uint64_t> first_submitted(Instant t) = 0;
  virtual Result<std::vector<ChargeRow>> charges(const ChargeQuery& query) = 0;
  /// The sum of all that a project was charged between `from` and `to`.
  virtual Result<Credits> charged(std::string_view project, Instant from, Instant to) = 0;
  /// Drops everything, watermark 0.
  virtual Result<void> clear() = 0;
  /// Between the two nobody queries, and what makes queries fast may be left undone.
  virtual Result<void> begin_rebuild() { return {}; }
  virtual Result<void> end_rebuild() { return {}; }
};

}  // namespace tenbin

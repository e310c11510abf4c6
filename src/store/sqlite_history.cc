#include "store/sqlite_history.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "store/state_folder.h"

namespace tenbin {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t format = 3;
// Left beside a file in which damage was met while it was in use, for the next opening to see.
constexpr const char* damage_mark = ".is-damaged";

// A job's id is its row's place in the table and ends every index, so that each index is in order
// of id below its own columns. Instants of charges never go back from record to record, so that the
// order of (at, sequence) is the order of records.
constexpr const char* tables = R"sql(
BEGIN IMMEDIATE;
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('format', 3);
CREATE TABLE watermark(only INTEGER PRIMARY KEY CHECK (only = 1), sequence INTEGER NOT NULL) STRICT;
INSERT INTO watermark VALUES (1, 0);
CREATE TABLE settled_job(
  job INTEGER PRIMARY KEY,
  array INTEGER NOT NULL,
  task INTEGER NOT NULL,
  project TEXT NOT NULL,
  person TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  code INTEGER NOT NULL,
  shape TEXT NOT NULL,
  region TEXT NOT NULL,
  pool TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  gpus_milli INTEGER NOT NULL,
  time_limit_ms INTEGER NOT NULL,
  submitted_ms INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  ended_ms INTEGER NOT NULL,
  held_microcredits INTEGER NOT NULL,
  charged_microcredits INTEGER NOT NULL,
  spec BLOB NOT NULL,
  members INTEGER NOT NULL,
  reason TEXT NOT NULL,
  labels TEXT NOT NULL,
  tasks INTEGER NOT NULL,
  tasks_completed INTEGER NOT NULL,
  tasks_failed INTEGER NOT NULL,
  tasks_cancelled INTEGER NOT NULL) STRICT;
CREATE TABLE charge(
  sequence INTEGER NOT NULL,
  part INTEGER NOT NULL,
  at INTEGER NOT NULL,
  job INTEGER NOT NULL,
  project TEXT NOT NULL,
  grant_name TEXT NOT NULL,
  funder TEXT NOT NULL,
  lot TEXT NOT NULL,
  amount_microcredits INTEGER NOT NULL,
  PRIMARY KEY (sequence, part)) STRICT, WITHOUT ROWID;
CREATE INDEX charge_by_project ON charge(project, at, sequence, part, amount_microcredits);
CREATE TABLE project_total(
  project TEXT PRIMARY KEY,
  amount_microcredits INTEGER NOT NULL) STRICT, WITHOUT ROWID;
COMMIT;
)sql";

// Apart from the tables, because a rebuild does without them until its end: a tree that is made of
// sorted rows costs a fraction of one that every row is put into. If such an end never came, the
// next opening makes them.
constexpr const char* indexes = R"sql(
BEGIN IMMEDIATE;
CREATE INDEX IF NOT EXISTS settled_by_project ON settled_job(project);
CREATE INDEX IF NOT EXISTS settled_by_state ON settled_job(state);
CREATE INDEX IF NOT EXISTS settled_by_project_state ON settled_job(project, state);
CREATE INDEX IF NOT EXISTS settled_by_person ON settled_job(person, job, state);
CREATE INDEX IF NOT EXISTS settled_by_project_person ON settled_job(project, person, job, state);
CREATE INDEX IF NOT EXISTS settled_by_name ON settled_job(name);
CREATE INDEX IF NOT EXISTS settled_by_project_name ON settled_job(project, name);
COMMIT;
)sql";
constexpr const char* no_indexes = R"sql(
BEGIN IMMEDIATE;
DROP INDEX IF EXISTS settled_by_project;
DROP INDEX IF EXISTS settled_by_state;
DROP INDEX IF EXISTS settled_by_project_state;
DROP INDEX IF EXISTS settled_by_person;
DROP INDEX IF EXISTS settled_by_project_person;
DROP INDEX IF EXISTS settled_by_name;
DROP INDEX IF EXISTS settled_by_project_name;
COMMIT;
)sql";

constexpr const char* writing_settings = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA journal_size_limit = 67108864;
PRAGMA cache_size = -65536;
PRAGMA temp_store = MEMORY;
)sql";

constexpr const char* job_columns =
    "job, array, task, project, person, name, state, code, shape, region, pool, attempts, "
    "gpus_milli, time_limit_ms, submitted_ms, started_ms, ended_ms, held_microcredits, "
    "charged_microcredits, spec, members, reason, labels, tasks, tasks_completed, tasks_failed, "
    "tasks_cancelled";

constexpr const char* charge_columns =
    "sequence, at, job, project, grant_name, funder, lot, amount_microcredits";

/// An index and which of project, person, state and name it answers, the most telling first.
struct Choice {
  unsigned answers;
  const char* index;
};
constexpr unsigned by_project = 1, by_person = 2, by_state = 4, by_name = 8;
constexpr std::array<Choice, 7> choices{{
    {by_project | by_name, "settled_by_project_name"},
    {by_name, "settled_by_name"},
    {by_project | by_person, "settled_by_project_person"},
    {by_person, "settled_by_person"},
    {by_project | by_state, "settled_by_project_state"},
    {by_state, "settled_by_state"},
    {by_project, "settled_by_project"},
}};

Choice choice_of(const HistoryQuery& query) {
  const unsigned given = (query.project.empty() ? 0 : by_project) |
                         (query.person.empty() ? 0 : by_person) |
                         (query.state.empty() ? 0 : by_state) | (query.name.empty() ? 0 : by_name);
  for (const Choice& choice : choices) {
    if ((choice.answers & ~given) == 0) return choice;
  }
  return {0, ""};
}

/// Whether a JSON object of texts has this member, written as it would be there.
bool has_label(std::string_view object, std::string_view member) {
  bool inside = false;  // of a text
  std::size_t begin = 1;
  for (std::size_t at = 1; at < object.size(); ++at) {
    if (inside && object[at] == '\\') {
      ++at;
    } else if (object[at] == '"') {
      inside = !inside;
    } else if (!inside && (object[at] == ',' || object[at] == '}')) {
      if (object.substr(begin, at - begin) == member) return true;
      begin = at + 1;
    }
  }
  return false;
}

std::uint64_t unsigned_of(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

Result<SettledJob> job_of(const SqliteStatement& row) {
  const auto spec = row.hash(19);
  if (!spec) return std::unexpected(spec.error());
  return SettledJob{
      .job = unsigned_of(row.number(0)),
      .array = unsigned_of(row.number(1)),
      .task = static_cast<std::int32_t>(row.number(2)),
      .tasks = static_cast<std::uint32_t>(row.number(23)),
      .tasks_completed = static_cast<std::uint32_t>(row.number(24)),
      .tasks_failed = static_cast<std::uint32_t>(row.number(25)),
      .tasks_cancelled = static_cast<std::uint32_t>(row.number(26)),
      .project = std::string(row.bytes(3)),
      .person = std::string(row.bytes(4)),
      .name = std::string(row.bytes(5)),
      .state = std::string(row.bytes(6)),
      .reason = std::string(row.bytes(21)),
      .code = static_cast<std::int32_t>(row.number(7)),
      .labels = std::string(row.bytes(22)),
      .shape = std::string(row.bytes(8)),
      .region = std::string(row.bytes(9)),
      .pool = std::string(row.bytes(10)),
      .attempts = static_cast<std::uint32_t>(row.number(11)),
      .gpus_milli = row.number(12),
      .members = static_cast<std::uint32_t>(row.number(20)),
      .time_limit = Span{row.number(13)},
      .submitted = Instant{row.number(14)},
      .started = Instant{row.number(15)},
      .ended = Instant{row.number(16)},
      .held = Credits{row.number(17)},
      .charged = Credits{row.number(18)},
      .spec = *spec,
  };
}

ChargeRow charge_of(const SqliteStatement& row) {
  return {
      .sequence = unsigned_of(row.number(0)),
      .at = Instant{row.number(1)},
      .job = unsigned_of(row.number(2)),
      .project = std::string(row.bytes(3)),
      .grant = std::string(row.bytes(4)),
      .funder = std::string(row.bytes(5)),
      .lot = std::string(row.bytes(6)),
      .amount = Credits{row.number(7)},
  };
}

/// Why the file cannot be used and must be built again, or nothing. An error that says nothing
/// about the file's content (no rights, a failing disk) stays an error.
Result<std::optional<std::string>> why_unusable(const std::string& path) {
  std::error_code trouble;
  if (fs::exists(path + damage_mark, trouble)) return "damage was met when it was last in use";
  if (!fs::exists(path, trouble) || fs::file_size(path, trouble) == 0) return std::nullopt;

  auto database = SqliteDatabase::open(path, Access::read_write);
  if (!database) return std::unexpected(database.error());
  auto is_ours = database->number("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'");
  if (is_ours && *is_ours == 0) {
    auto anything = database->number("SELECT count(*) FROM sqlite_schema");
    if (anything && *anything == 0) return std::nullopt;
    return "it is not a history of Tenbin";
  }
  auto version =
      is_ours ? database->number("SELECT value FROM meta WHERE key = 'format'") : is_ours;
  if (!version && database->damaged()) return version.error().what;
  if (!version) return std::unexpected(version.error());
  if (*version != format) return "it is of format " + std::to_string(*version);
  return std::nullopt;
}

Result<std::string> put_aside(const std::string& path) {
  std::string aside;
  for (int n = 1;; ++n) {
    aside = path + ".damaged-" + std::to_string(n);
    std::error_code trouble;
    if (!fs::exists(fs::symlink_status(aside, trouble))) break;
  }
  std::error_code trouble;
  for (const char* suffix : {"-wal", "-shm", ""}) {
    fs::rename(path + suffix, aside + suffix, trouble);
    if (trouble && trouble != std::errc::no_such_file_or_directory) {
      return failed(path + suffix + ": could not put it aside: " + trouble.message());
    }
  }
  fs::remove(path + damage_mark, trouble);
  if (trouble) return failed(path + damage_mark + ": could not remove it: " + trouble.message());
  return aside;
}

}  // namespace

std::string settled_jobs_sql(const HistoryQuery& query) {
  const Choice choice = choice_of(query);
  std::string sql = "SELECT " + std::string(job_columns) + " FROM settled_job";
  if (choice.answers != 0) sql += " INDEXED BY " + std::string(choice.index);
  sql += " WHERE job >= ?1 AND job < ?2";
  if (choice.answers & by_project) sql += " AND project = ?3";
  if (choice.answers & by_person) sql += " AND person = ?4";
  if (choice.answers & by_state) sql += " AND state = ?5";
  if (choice.answers & by_name) sql += " AND name = ?6";
  return sql + (query.order == Order::newest_first ? " ORDER BY job DESC" : " ORDER BY job");
}

std::string charges_sql(bool of_one_project) {
  std::string sql = "SELECT " + std::string(charge_columns) + " FROM charge ";
  if (of_one_project)
    return sql +
           "INDEXED BY charge_by_project WHERE project = ?1 AND (at, sequence) > (?2, ?3) AND "
           "at < ?4 ORDER BY at, sequence, part";
  return sql + "WHERE sequence > ?3 AND at >= ?2 AND at < ?4 ORDER BY sequence, part";
}

Result<std::unique_ptr<SqliteHistory>> SqliteHistory::open(const std::string& state_folder,
                                                           const Log& log) {
  if (auto ready = prepare_state_folder(state_folder, Access::read_write); !ready) {
    return std::unexpected(ready.error());
  }
  const std::string path = state_folder + "/history.db";
  for (const char* suffix : {"", "-wal", "-shm"}) {
    if (auto plain = refuse_link(path + suffix); !plain) return std::unexpected(plain.error());
  }
  auto unusable = why_unusable(path);
  if (!unusable) return std::unexpected(unusable.error());
  if (*unusable) {
    auto aside = put_aside(path);
    if (!aside) return std::unexpected(aside.error());
    log(LogLevel::warning, "history_put_aside",
        "the history " + path + " cannot be used (" + **unusable + "); it is now " + *aside +
            ", and a new one is built from the journal");
  }
  if (auto made = make_private_file(path); !made) return std::unexpected(made.error());

  std::unique_ptr<SqliteHistory> history(new SqliteHistory(path));
  if (auto connected = history->connect(); !connected) return std::unexpected(connected.error());
  return history;
}

Result<void> SqliteHistory::connect() {
  auto writer = SqliteDatabase::open(path_, Access::read_write);
  if (!writer) return std::unexpected(writer.error());
  writer_ = std::move(*writer);
  if (auto set = writer_.run(writing_settings); !set) return set;
  auto anything = writer_.number("SELECT count(*) FROM sqlite_schema");
  if (!anything) return std::unexpected(anything.error());
  if (*anything == 0) {
    if (auto made = writer_.run(tables); !made) return made;
  }
  if (auto made = writer_.run(indexes); !made) return made;
  auto mark = writer_.number("SELECT sequence FROM watermark");
  if (!mark) return std::unexpected(mark.error());
  watermark_ = unsigned_of(*mark);

  auto reader = SqliteDatabase::open(path_, Access::read_only);
  if (!reader) return std::unexpected(reader.error());
  reader_ = std::move(*reader);

  struct Wanted {
    SqliteDatabase* database;
    SqliteStatement* statement;
    std::string sql;
  };
  std::vector<Wanted> wanted{
      {&writer_, &add_job_,
       "INSERT OR REPLACE INTO settled_job VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
       "?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, "
       "?27)"},
      {&writer_, &add_charge_,
       "INSERT OR REPLACE INTO charge VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"},
      {&writer_, &move_watermark_, "UPDATE watermark SET sequence = ?1"},
      {&reader_, &one_job_,
       "SELECT " + std::string(job_columns) + " FROM settled_job WHERE job = ?1"},
      {&reader_, &next_job_,
       "SELECT job, submitted_ms FROM settled_job WHERE job >= ?1 ORDER BY job LIMIT 1"},
      {&reader_, &last_job_, "SELECT job FROM settled_job ORDER BY job DESC LIMIT 1"},
      {&reader_, &project_charges_, charges_sql(true)},
      {&reader_, &all_charges_, charges_sql(false)},
      {&reader_, &total_, "SELECT amount_microcredits FROM project_total WHERE project = ?1"},
      {&reader_, &sum_,
       "SELECT coalesce(sum(amount_microcredits), 0) FROM charge INDEXED BY charge_by_project "
       "WHERE project = "
       "?1 AND at >= ?2 AND at < ?3"},
      {&writer_, &add_to_total_,
       "INSERT INTO project_total VALUES (?1, ?2) ON CONFLICT (project) DO UPDATE SET "
       "amount_microcredits = amount_microcredits + ?2"},
  };
  for (const Wanted& one : wanted) {
    auto statement = one.database->prepare(one.sql);
    if (!statement) return std::unexpected(statement.error());
    *one.statement = std::move(*statement);
  }
  return {};
}

/// Damage is met in the middle of work, but only an opening can put the file aside: leave a mark.
Error SqliteHistory::noted(const Error& error, const SqliteDatabase& database) const {
  if (!database.damaged()) return error;
  static_cast<void>(make_private_file(path_ + damage_mark));
  return {error.what + "; the history will be built again when Tenbin starts next"};
}

// ---- writing ----

Result<void> SqliteHistory::follow(std::uint64_t sequence, std::span<const SettledJob> jobs,
                                   std::span<const ChargeRow> charges) {
  const std::lock_guard lock(write_mutex_);
  if (sequence <= watermark_) return {};
  auto added = add(sequence, jobs, charges);
  if (!added) return std::unexpected(noted(added.error(), writer_));
  watermark_ = sequence;
  return {};
}

Result<void> SqliteHistory::add(std::uint64_t sequence, std::span<const SettledJob> jobs,
                                std::span<const ChargeRow> charges) {
  for (const ChargeRow& charge : charges) {
    if (charge.sequence > sequence) {
      return failed(path_ + ": a charge of record " + std::to_string(charge.sequence) +
                    " was told with record " + std::to_string(sequence));
    }
  }
  auto transaction = SqliteTransaction::begin(writer_);
  if (!transaction) return std::unexpected(transaction.error());
  for (const SettledJob& job : jobs) {
    add_job_.bind(1, job.job);
    add_job_.bind(2, job.array);
    add_job_.bind(3, std::int64_t{job.task});
    add_job_.bind_text(4, job.project);
    add_job_.bind_text(5, job.person);
    add_job_.bind_text(6, job.name);
    add_job_.bind_text(7, job.state);
    add_job_.bind(8, std::int64_t{job.code});
    add_job_.bind_text(9, job.shape);
    add_job_.bind_text(10, job.region);
    add_job_.bind_text(11, job.pool);
    add_job_.bind(12, std::int64_t{job.attempts});
    add_job_.bind(13, job.gpus_milli);
    add_job_.bind(14, job.time_limit.count);
    add_job_.bind(15, job.submitted.ms);
    add_job_.bind(16, job.started.ms);
    add_job_.bind(17, job.ended.ms);
    add_job_.bind(18, job.held.count);
    add_job_.bind(19, job.charged.count);
    add_job_.bind_hash(20, job.spec);
    add_job_.bind(21, std::int64_t{job.members});
    add_job_.bind_text(22, job.reason);
    add_job_.bind_text(23, job.labels);
    add_job_.bind(24, std::int64_t{job.tasks});
    add_job_.bind(25, std::int64_t{job.tasks_completed});
    add_job_.bind(26, std::int64_t{job.tasks_failed});
    add_job_.bind(27, std::int64_t{job.tasks_cancelled});
    if (auto done = add_job_.run(); !done) return done;
  }

  const std::uint64_t known = watermark_;
  std::uint64_t of_record = 0;
  std::int64_t part = 0;
  for (const ChargeRow& charge : charges) {
    part = charge.sequence == of_record ? part + 1 : 0;
    of_record = charge.sequence;
    if (charge.sequence <= known) continue;
    add_charge_.bind(1, charge.sequence);
    add_charge_.bind(2, part);
    add_charge_.bind(3, charge.at.ms);
    add_charge_.bind(4, charge.job);
    add_charge_.bind_text(5, charge.project);
    add_charge_.bind_text(6, charge.grant);
    add_charge_.bind_text(7, charge.funder);
    add_charge_.bind_text(8, charge.lot);
    add_charge_.bind(9, charge.amount.count);
    if (auto done = add_charge_.run(); !done) return done;
    add_to_total_.bind_text(1, charge.project);
    add_to_total_.bind(2, charge.amount.count);
    if (auto done = add_to_total_.run(); !done) return done;
  }
  if (auto done = set_watermark(sequence); !done) return done;
  return transaction->commit();
}

Result<void> SqliteHistory::set_watermark(std::uint64_t sequence) {
  move_watermark_.bind(1, sequence);
  return move_watermark_.run();
}

Result<void> SqliteHistory::clear() {
  const std::lock_guard lock(write_mutex_);
  auto cleared = drop_all();
  if (!cleared) return std::unexpected(noted(cleared.error(), writer_));
  watermark_ = 0;
  return {};
}

Result<void> SqliteHistory::drop_all() {
  auto transaction = SqliteTransaction::begin(writer_);
  if (!transaction) return std::unexpected(transaction.error());
  if (auto done =
          writer_.run("DELETE FROM settled_job; DELETE FROM charge; DELETE FROM project_total;");
      !done)
    return done;
  if (auto done = set_watermark(0); !done) return done;
  return transaction->commit();
}

Result<void> SqliteHistory::begin_rebuild() {
  const std::lock_guard lock(write_mutex_);
  auto done = writer_.run(no_indexes);
  if (!done) return std::unexpected(noted(done.error(), writer_));
  return {};
}

Result<void> SqliteHistory::end_rebuild() {
  const std::lock_guard lock(write_mutex_);
  auto done = writer_.run(indexes);
  if (!done) return std::unexpected(noted(done.error(), writer_));
  return {};
}

// ---- reading ----

Result<std::uint64_t> SqliteHistory::watermark() {
  return watermark_.load();
}

Result<std::optional<SettledJob>> SqliteHistory::job(std::uint64_t id) {
  if (id > INT64_MAX) return std::nullopt;
  const std::lock_guard lock(read_mutex_);
  one_job_.bind(1, id);
  const auto row = one_job_.step();
  if (!row) return std::unexpected(noted(row.error(), reader_));
  std::optional<SettledJob> found;
  if (*row) {
    auto job = job_of(one_job_);
    one_job_.reset();
    if (!job) return std::unexpected(job.error());
    found = std::move(*job);
  }
  one_job_.reset();
  return found;
}

Result<HistoryPage> SqliteHistory::jobs(const HistoryQuery& query) {
  const std::lock_guard lock(read_mutex_);
  SqliteStatement& statement = jobs_[settled_jobs_sql(query)];
  if (!statement.ready()) {
    auto prepared = reader_.prepare(settled_jobs_sql(query));
    if (!prepared) return std::unexpected(noted(prepared.error(), reader_));
    statement = std::move(*prepared);
  }
  const std::uint64_t last = INT64_MAX;
  statement.bind(1, std::min(query.from, last));
  statement.bind(2, query.before == 0 ? last : std::min(query.before, last));
  const unsigned answers = choice_of(query).answers;
  if (answers & by_project) statement.bind_text(3, query.project);
  if (answers & by_person) statement.bind_text(4, query.person);
  if (answers & by_state) statement.bind_text(5, query.state);
  if (answers & by_name) statement.bind_text(6, query.name);

  const auto fits = [&](int column, const std::string& wanted) {
    return wanted.empty() || statement.bytes(column) == wanted;
  };
  HistoryPage page;
  std::size_t looked = 0;
  while (page.jobs.size() < query.limit && looked < query.look_at) {
    const auto row = statement.step();
    if (!row) return std::unexpected(noted(row.error(), reader_));
    if (!*row) {
      statement.reset();
      page.reached = 0;
      return page;
    }
    ++looked;
    page.reached = unsigned_of(statement.number(0));
    if (!fits(3, query.project) || !fits(4, query.person) || !fits(6, query.state) ||
        !fits(5, query.name) || !fits(9, query.region) ||
        (!query.label.empty() && !has_label(statement.bytes(22), query.label))) {
      continue;
    }
    auto job = job_of(statement);
    if (!job) {
      statement.reset();
      return std::unexpected(job.error());
    }
    page.jobs.push_back(std::move(*job));
  }
  statement.reset();
  return page;
}

Result<std::uint64_t> SqliteHistory::first_submitted(Instant t) {
  const std::lock_guard lock(read_mutex_);
  const auto any = last_job_.step();
  if (!any) return std::unexpected(noted(any.error(), reader_));
  std::uint64_t low = 0;  // below it all were submitted earlier
  std::uint64_t high = *any ? unsigned_of(last_job_.number(0)) + 1 : 0;
  last_job_.reset();
  std::uint64_t found = INT64_MAX;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    next_job_.bind(1, middle);
    const auto row = next_job_.step();
    if (!row) return std::unexpected(noted(row.error(), reader_));
    const std::uint64_t job = *row ? unsigned_of(next_job_.number(0)) : INT64_MAX;
    const bool earlier = *row && next_job_.number(1) < t.ms;
    next_job_.reset();
    if (earlier) {
      low = job + 1;
    } else {
      found = std::min(found, job);
      high = middle;
    }
  }
  return found;
}

Result<std::vector<ChargeRow>> SqliteHistory::charges(const ChargeQuery& query) {
  const std::lock_guard lock(read_mutex_);
  SqliteStatement& statement = query.project.empty() ? all_charges_ : project_charges_;
  const bool begins = query.after_sequence == 0;
  statement.bind_text(1, query.project);
  statement.bind(2, begins ? query.from.ms : std::max(query.from.ms, query.after_at.ms));
  statement.bind(3, std::min<std::uint64_t>(query.after_sequence, INT64_MAX));
  statement.bind(4, query.to.ms);

  std::vector<ChargeRow> found;
  while (query.limit > 0) {
    const auto row = statement.step();
    if (!row) return std::unexpected(noted(row.error(), reader_));
    if (!*row) break;
    ChargeRow charge = charge_of(statement);
    if (found.size() >= query.limit && charge.sequence != found.back().sequence) break;
    found.push_back(std::move(charge));
  }
  statement.reset();
  return found;
}

Result<Credits> SqliteHistory::charged(std::string_view project, Instant from, Instant to) {
  const std::lock_guard lock(read_mutex_);
  const bool all = from.ms <= 0 && to.ms == INT64_MAX;
  SqliteStatement& statement = all ? total_ : sum_;
  statement.bind_text(1, project);
  if (!all) {
    statement.bind(2, from.ms);
    statement.bind(3, to.ms);
  }
  const auto row = statement.step();
  if (!row) return std::unexpected(noted(row.error(), reader_));
  const Credits sum{*row ? statement.number(0) : 0};
  statement.reset();
  return sum;
}

}  // namespace tenbin

#include "store/sqlite.h"

#include <sqlite3.h>

#include <system_error>
#include <utility>

#include "base/assert.h"

namespace tenbin {

namespace {

constexpr int lock_patience_ms = 10'000;

std::string words(sqlite3* connection, const char* path, std::string_view tried) {
  std::string text = path ? path : "(no file)";
  text += ": could not ";
  text += tried;
  text += ": ";
  text += connection ? sqlite3_errmsg(connection) : "out of memory";
  if (connection) {
    const int code = sqlite3_extended_errcode(connection);
    text += " (SQLite code " + std::to_string(code);
    const int system = sqlite3_system_errno(connection);
    const bool outside = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN ||
                         (code & 0xff) == SQLITE_FULL;
    if (outside && system != 0) text += ", " + std::generic_category().message(system);
    text += ")";
  }
  return text;
}

std::unexpected<Error> failure(sqlite3* connection, std::string_view tried) {
  return failed(words(connection, sqlite3_db_filename(connection, "main"), tried));
}

std::unexpected<Error> failure(sqlite3_stmt* statement) {
  return failure(sqlite3_db_handle(statement), std::string("run `") + sqlite3_sql(statement) + "`");
}

}  // namespace

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void SqliteStatement::bind(int parameter, std::int64_t value) {
  bind_failure_ |= sqlite3_bind_int64(statement_.get(), parameter, value);
}

void SqliteStatement::bind(int parameter, std::uint64_t value) {
  TENBIN_ASSERT(value <= INT64_MAX);
  bind(parameter, static_cast<std::int64_t>(value));
}

void SqliteStatement::bind_text(int parameter, std::string_view value) {
  // A null pointer would bind NULL, which is another thing than the empty text.
  bind_failure_ |=
      sqlite3_bind_text64(statement_.get(), parameter, value.data() ? value.data() : "",
                          value.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void SqliteStatement::bind_bytes(int parameter, std::string_view value) {
  bind_failure_ |= sqlite3_bind_blob64(
      statement_.get(), parameter, value.data() ? value.data() : "", value.size(), SQLITE_STATIC);
}

void SqliteStatement::bind_hash(int parameter, const Hash& value) {
  bind_failure_ |= sqlite3_bind_blob64(statement_.get(), parameter, value.bytes.data(),
                                       value.bytes.size(), SQLITE_STATIC);
}

Result<bool> SqliteStatement::step() {
  if (bind_failure_ != 0) {
    const auto error = failure(statement_.get());
    reset();
    return error;
  }
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const auto error = failure(statement_.get());
  reset();
  return error;
}

Result<void> SqliteStatement::run() {
  for (;;) {
    const Result<bool> row = step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
  }
  reset();
  return {};
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_.get());  // repeats the code of the last step, which was seen there
  bind_failure_ = 0;
}

std::int64_t SqliteStatement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view SqliteStatement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return data ? std::string_view(static_cast<const char*>(data), static_cast<std::size_t>(size))
              : std::string_view();
}

Result<Hash> SqliteStatement::hash(int column) const {
  const std::string_view found = bytes(column);
  Hash hash;
  if (found.size() != hash.bytes.size()) {
    const char* path = sqlite3_db_filename(sqlite3_db_handle(statement_.get()), "main");
    return failed(std::string(path ? path : "(no file)") + ": a hash of " +
                  std::to_string(found.size()) + " bytes where 32 belong");
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    hash.bytes[i] = static_cast<std::uint8_t>(found[i]);
  }
  return hash;
}

void SqliteDatabase::Close::operator()(sqlite3* connection) const {
  sqlite3_close_v2(connection);
}

Result<SqliteDatabase> SqliteDatabase::open(const std::string& path, Access access) {
  const int flags = access == Access::read_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                                 : SQLITE_OPEN_READONLY;
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &connection, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  SqliteDatabase database;
  database.connection_.reset(connection);
  if (code != SQLITE_OK) return failed(words(connection, path.c_str(), "open it"));
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, lock_patience_ms);

  for (auto [statement, sql] :
       {std::pair{&database.begin_, "BEGIN IMMEDIATE"}, std::pair{&database.commit_, "COMMIT"},
        std::pair{&database.rollback_, "ROLLBACK"}}) {
    Result<SqliteStatement> made = database.prepare(sql);
    if (!made) return std::unexpected(made.error());
    *statement = std::move(*made);
  }
  return database;
}

Result<SqliteStatement> SqliteDatabase::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) {
    return failure(connection_.get(), "prepare `" + std::string(sql) + "`");
  }
  return SqliteStatement(statement);
}

Result<void> SqliteDatabase::run(const char* sql) {
  if (sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return failure(connection_.get(), "run `" + std::string(sql) + "`");
}

Result<std::int64_t> SqliteDatabase::number(std::string_view sql) {
  Result<SqliteStatement> statement = prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  const Result<bool> row = statement->step();
  if (!row) return std::unexpected(row.error());
  return *row ? statement->number(0) : 0;
}

bool SqliteDatabase::damaged() const {
  const int code = sqlite3_errcode(connection_.get()) & 0xff;
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

void SqliteDatabase::watch_log(int* pages) {
  sqlite3_wal_hook(
      connection_.get(),
      [](void* where, sqlite3*, const char*, int length) {
        *static_cast<int*>(where) = length;
        return SQLITE_OK;
      },
      pages);
}

Result<SqliteDatabase::Log> SqliteDatabase::checkpoint() {
  Log log;
  const int code = sqlite3_wal_checkpoint_v2(connection_.get(), "main", SQLITE_CHECKPOINT_PASSIVE,
                                             &log.pages, &log.saved);
  if (code == SQLITE_OK) return log;
  if ((code & 0xff) == SQLITE_BUSY) return Log{.pages = 1, .saved = 0};  // another one is at it
  return failure(connection_.get(), "move the write-ahead log into the database");
}

Result<SqliteTransaction> SqliteTransaction::begin(SqliteDatabase& database) {
  if (auto begun = database.begin_.run(); !begun) return std::unexpected(begun.error());
  return SqliteTransaction(database);
}

SqliteTransaction::SqliteTransaction(SqliteTransaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

SqliteTransaction::~SqliteTransaction() {
  // After some failures SQLite has rolled back by itself and refuses to do it twice.
  if (database_) static_cast<void>(database_->rollback_.run());
}

Result<void> SqliteTransaction::commit() {
  auto done = database_->commit_.run();
  if (done) database_ = nullptr;
  return done;
}

}  // namespace tenbin

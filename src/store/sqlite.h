#pragma once

// A thin layer over SQLite's C interface. What fails comes back as words that name the file, what
// was tried and what SQLite said. Nothing here knows a table.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/hash.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tenbin {

enum class Access : std::uint8_t { read_write, read_only };

/// One prepared statement, made once and run many times. Parameters count from 1, columns from 0.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
  bool ready() const { return statement_ != nullptr; }

  /// Texts and bytes are not copied: they must stay where they are until `run` or `reset`. A
  /// binding that fails is reported by the next step.
  void bind(int parameter, std::int64_t value);
  void bind(int parameter, std::uint64_t value);  // below 2^63
  void bind_text(int parameter, std::string_view value);
  void bind_bytes(int parameter, std::string_view value);
  void bind_hash(int parameter, const Hash& value);

  Result<bool> step();  // true: there is a row; false: that was all
  Result<void> run();   // to the end, rows are dropped; ready to be bound again
  void reset();

  std::int64_t number(int column) const;
  /// Text or bytes of the present row, valid until the next step or reset.
  std::string_view bytes(int column) const;
  Result<Hash> hash(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_failure_ = 0;
};

/// One connection. Not locked inside: its owner keeps it to one thread at a time.
class SqliteDatabase {
 public:
  /// Opens the file, and for read_write makes it if it is missing (by its rights: see
  /// make_private_file). Waits up to ten seconds for other processes' locks.
  static Result<SqliteDatabase> open(const std::string& path, Access access);

  Result<SqliteStatement> prepare(std::string_view sql);
  Result<void> run(const char* sql);                  // one or more statements
  Result<std::int64_t> number(std::string_view sql);  // the first column of the first row, or 0

  /// True if what failed last says that the file is not, or no longer, a sound SQLite database.
  bool damaged() const;

  /// From now on `pages` is the length of the write-ahead log after each commit of this connection.
  void watch_log(int* pages);

  struct Log {
    int pages = 0;  // in the log
    int saved = 0;  // of them already in the database file
  };
  /// Moves what it can from the write-ahead log into the database file without waiting for anyone.
  Result<Log> checkpoint();

 private:
  friend class SqliteTransaction;
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  // The statements go before the connection.
  std::unique_ptr<sqlite3, Close> connection_;
  SqliteStatement begin_, commit_, rollback_;
};

/// What is not committed when this goes is rolled back.
class SqliteTransaction {
 public:
  /// Takes the write lock at once.
  static Result<SqliteTransaction> begin(SqliteDatabase& database);

  SqliteTransaction(SqliteTransaction&& other) noexcept;
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;
  ~SqliteTransaction();

  Result<void> commit();

 private:
  explicit SqliteTransaction(SqliteDatabase& database) : database_(&database) {}
  SqliteDatabase* database_;
};

}  // namespace tenbin

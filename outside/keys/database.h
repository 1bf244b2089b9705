// SPDX-License-Identifier: Apache-2.0
#pragma once
// Database: SQLite, as far as a key store needs it. What was committed is on the disk, whatever
// ends the process; what was not is as if it had never been. Between transactions all of it is in
// the one file (a rollback journal, synchronous = EXTRA), so that a copy of that file is a backup.
//
//   Owns     the connection; statements end before it.
//   Threads  one.
//   Trust    the file is its owner's alone; what is in it is data and runs nothing: no trigger, no
//            view, no function that its schema names.
//   Fails    kPlatform with the file, SQLite's words and what to do; kUnavailable where another
//            process writes for too long.

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace casemate::keys {

// One statement with its values, run once. Requires: values are bound in the order of the marks.
class Statement final {
 public:
  Statement(Statement&&) noexcept = default;
  Statement& bind(std::string_view text);
  Statement& bind(Bytes blob);
  Statement& bind(int64_t number);
  // True when there is a row to read.
  Result<bool> step();
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::vector<uint8_t> blob(int column) const;
  [[nodiscard]] int64_t number(int column) const;

 private:
  friend class Database;
  struct Free {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Free> statement_;
  int bound_ = 0;
};

class Database final {
 public:
  // Requires: the file is there, and no part of its path is a link.
  static Result<Database> open(const std::string& path);
  Database(Database&&) noexcept = default;

  // For how long others who write are waited for, from now on.
  void wait_at_most(std::chrono::milliseconds time);
  Result<Statement> prepare(std::string_view sql);
  // Statements without values or rows, such as those that begin and end a transaction.
  Status run(const char* sql);
  // The one number that the statement gives.
  Result<int64_t> number(std::string_view sql);

 private:
  struct Free {
    void operator()(sqlite3* database) const;
  };
  explicit Database(sqlite3* database) : database_(database) {}
  std::unique_ptr<sqlite3, Free> database_;
};

// All that is done between its making and commit(), or nothing of it.
class Transaction final {
 public:
  static Result<Transaction> begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  ~Transaction();
  Status commit();

 private:
  explicit Transaction(Database* database) : database_(database) {}
  Database* database_;
};

}  // namespace casemate::keys

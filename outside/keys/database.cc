// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/database.h"

#include <sqlite3.h>

#include "base/format.h"

namespace casemate::keys {
namespace {

// Another command of the owner's writes for milliseconds.
constexpr std::chrono::seconds kPatience{10};

std::string_view remedy_for(int code) {
  switch (code) {
    case SQLITE_BUSY:
      return "another command or a service is writing to it; try again, or end that";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "it is damaged or no key store; restore a backup";
    case SQLITE_FULL:
      return "make room on its disk";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "let this user write to it and to its folder";
    default:
      return "see to its disk, or restore a backup";
  }
}

Error said(sqlite3* database, std::string_view path) {
  const int code = sqlite3_errcode(database);
  return {code == SQLITE_BUSY ? Code::kUnavailable : Code::kPlatform,
          formatted("key store {}: {}; {}", path, sqlite3_errmsg(database), remedy_for(code))};
}

Error said(sqlite3* database) { return said(database, sqlite3_db_filename(database, "main")); }

}  // namespace

void Statement::Free::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Free::operator()(sqlite3* database) const { sqlite3_close(database); }

Statement& Statement::bind(std::string_view text) {
  sqlite3_bind_text64(statement_.get(), ++bound_, text.data(), text.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind(Bytes blob) {
  sqlite3_bind_blob64(statement_.get(), ++bound_, blob.data(), blob.size(), SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::bind(int64_t number) {
  sqlite3_bind_int64(statement_.get(), ++bound_, number);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return said(sqlite3_db_handle(statement_.get()));
}

std::string Statement::text(int column) const { return std::string(text_of(blob(column))); }

std::vector<uint8_t> Statement::blob(int column) const {
  const auto* begin = static_cast<const uint8_t*>(sqlite3_column_blob(statement_.get(), column));
  return {begin, begin + sqlite3_column_bytes(statement_.get(), column)};
}

int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

Result<Database> Database::open(const std::string& path) {
  sqlite3* opened = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, nullptr);
  Database database(opened);
  if (code != SQLITE_OK) return said(opened, path);
  database.wait_at_most(kPatience);
  for (const int setting : {SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW})
    sqlite3_db_config(opened, setting, 0, static_cast<int*>(nullptr));
  TRY(
      database.run("PRAGMA trusted_schema = OFF; PRAGMA journal_mode = DELETE;"
                   "PRAGMA synchronous = EXTRA"));
  return database;
}

void Database::wait_at_most(std::chrono::milliseconds time) {
  sqlite3_busy_timeout(database_.get(), static_cast<int>(time.count()));
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &statement,
                         nullptr) != SQLITE_OK)
    return said(database_.get());
  return Statement(statement);
}

Status Database::run(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return said(database_.get());
}

Result<int64_t> Database::number(std::string_view sql) {
  Statement statement = TRY(prepare(sql));
  if (TRY(statement.step())) return statement.number(0);
  return Error{Code::kPlatform, "key store: a question has no answer; restore a backup"};
}

Result<Transaction> Transaction::begin(Database& database) {
  TRY(database.run("BEGIN IMMEDIATE"));
  return Transaction(&database);
}

Transaction::~Transaction() {
  if (database_ != nullptr) static_cast<void>(database_->run("ROLLBACK"));
}

Status Transaction::commit() {
  TRY(database_->run("COMMIT"));
  database_ = nullptr;
  return {};
}

}  // namespace casemate::keys

// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/database.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/format.h"

namespace casemate::keys {
namespace {

// Another command of the owner's writes for milliseconds.
constexpr int kPatienceMs = 10'000;

Error said(sqlite3* database, std::string_view doing) {
  const bool busy = sqlite3_errcode(database) == SQLITE_BUSY;
  return {busy ? Code::kUnavailable : Code::kPlatform,
          formatted("key store: {}: {}", doing, sqlite3_errmsg(database))};
}

// SQLite makes its files as the umask has it, and its other files as the first one is.
Status make_private(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat facts{};
  if (!fd.valid() || ::fstat(fd.number(), &facts) != 0)
    return errno_error(formatted("key store {}", path));
  if (S_ISREG(facts.st_mode) && (facts.st_mode & 077) == 0 && facts.st_uid == ::geteuid())
    return {};
  return Error{Code::kDenied, formatted("key store {}: must be a file that only this user can "
                                        "read; chmod 600 it, or name another",
                                        path)};
}

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
  return said(sqlite3_db_handle(statement_.get()), "a statement");
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
  TRY(make_private(path));
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
  Database database(opened);
  if (code != SQLITE_OK) return said(opened, path);
  sqlite3_busy_timeout(opened, kPatienceMs);
  TRY(database.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"));
  return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &statement,
                         nullptr) != SQLITE_OK)
    return said(database_.get(), "preparing a statement");
  return Statement(statement);
}

Status Database::run(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return said(database_.get(), "running a statement");
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

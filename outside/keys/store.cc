// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/store.h"

#include <algorithm>

#include "base/format.h"
#include "outside/keys/aead.h"
#include "outside/keys/clearing.h"

namespace casemate::keys {
namespace {

constexpr std::string_view kMakerLabel = "casemate key store, maker";
// The same number as in kTables.
constexpr int64_t kFormat = 2;
constexpr const char* kTables =
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;"
    "CREATE TABLE keys (package BLOB PRIMARY KEY, name TEXT NOT NULL,"
    " version INTEGER NOT NULL, measurement BLOB NOT NULL, policy TEXT NOT NULL,"
    " added INTEGER NOT NULL, hidden BLOB NOT NULL) STRICT;"
    "CREATE TABLE floors (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;"
    "CREATE TABLE audit (number INTEGER PRIMARY KEY,"
    " at INTEGER NOT NULL, released INTEGER NOT NULL, name TEXT NOT NULL,"
    " version INTEGER NOT NULL, line TEXT NOT NULL, evidence BLOB NOT NULL,"
    " tag BLOB NOT NULL) STRICT;"
    "PRAGMA user_version = 2";

// What a hidden key belongs to. It opens in no other row, and in none of which anything was changed
// that decides who gets it.
std::vector<uint8_t> label_of(const Record& record) {
  const std::string text =
      formatted("casemate key store, {} {} {} {} {} {}", to_hex(record.package), record.version,
                record.added_unix, to_hex(record.measurement),
                to_hex(sha384(bytes_of(std::string_view(record.policy)))), record.name);
  const Bytes bytes = bytes_of(std::string_view(text));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Result<Store> Store::open(const std::string& path, Clock& clock, Random& random, bool make) {
  StoreFiles files = TRY(StoreFiles::open(path, random, make));
  Database database = TRY(Database::open(files.path()));
  Store store(std::move(files), std::move(database), clock, random);
  TRY(store.prepare(make));
  return store;
}

Error Store::changed(std::string_view what) const {
  return {Code::kPlatform, formatted("key store {}: {} does not open with its key: the store is "
                                     "damaged or was changed; restore a backup",
                                     path(), what)};
}

Result<int64_t> Store::tables() { return database_.number("SELECT count(*) FROM sqlite_schema"); }

Status Store::prepare(bool make) {
  if (TRY(tables()) == 0) {
    if (!make) return no_store(path());
    TRY(begin());
  }
  const int64_t format = TRY(database_.number("PRAGMA user_version"));
  if (format != kFormat) {
    return Error{Code::kUnsupported,
                 formatted("{}: is no key store of this release (its format is {}, not {}); use "
                           "the casemate that made it, or name another file",
                           path(), format, kFormat)};
  }
  Statement maker = TRY(database_.prepare("SELECT value FROM facts WHERE name = 'maker'"));
  if (!TRY(maker.step())) return changed("the key that signs packages");
  auto der = show(bytes_of(kMakerLabel), maker.blob(0));
  if (!der) {
    return Error{Code::kInvalid,
                 formatted("key store {}: its key does not fit; {}.key is another store's, or one "
                           "of them is damaged; put the right one there",
                           path(), path())};
  }
  const Clearing clearing(*der);
  maker_.emplace(TRY(SigningKey::from_der(*der)));
  return {};
}

// Makes what is in an empty store, unless another process has done so by now.
Status Store::begin() {
  auto transaction = TRY(Transaction::begin(database_));
  if (TRY(tables()) != 0) return {};
  TRY(database_.run(kTables));
  auto der = TRY(TRY(SigningKey::generate()).to_der());
  const Clearing clearing(der);
  Statement insert = TRY(database_.prepare("INSERT INTO facts VALUES ('maker', ?)"));
  TRY(insert.bind(hide(bytes_of(kMakerLabel), der)).step());
  TRY(write_audit_end({}));
  return transaction.commit();
}

std::vector<uint8_t> Store::hide(Bytes label, Bytes secret) {
  ByteArray<12> nonce;
  random_->fill(nonce);
  const auto sealed = seal_bytes(files_.key(), nonce, label, secret);
  std::vector<uint8_t> hidden(nonce.begin(), nonce.end());
  hidden.insert(hidden.end(), sealed.begin(), sealed.end());
  return hidden;
}

Result<std::vector<uint8_t>> Store::show(Bytes label, Bytes hidden) const {
  if (hidden.size() < sizeof(ByteArray<12>)) return Error{Code::kInvalid, "it is too short"};
  return open_bytes(files_.key(), load<ByteArray<12>>(hidden), label, hidden.subspan(12));
}

Status Store::check_floor(const std::string& name, uint32_t version) {
  const uint32_t lowest = TRY(floor(name));
  if (version >= lowest) return {};
  return Error{Code::kDenied,
               formatted("version {} of model '{}' is below {}, the lowest that may be opened; "
                         "seal it as {} or higher",
                         version, name, lowest, lowest)};
}

Status Store::add(const Record& record, const SecretKey& key, bool keep_older) {
  auto transaction = TRY(Transaction::begin(database_));
  TRY(check_floor(record.name, record.version));
  Record added = record;
  added.added_unix = clock_->unix_seconds();
  Statement insert = TRY(database_.prepare("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)"));
  insert.bind(Bytes(added.package)).bind(std::string_view(added.name)).bind(added.version);
  insert.bind(Bytes(added.measurement)).bind(std::string_view(added.policy));
  TRY(insert.bind(added.added_unix).bind(hide(label_of(added), key)).step());
  if (!keep_older) TRY(raise_floor(record.name, record.version));
  return transaction.commit();
}

Result<Record> Store::record_in(const Statement& row) const {
  const auto package = row.blob(0);
  const auto measurement = row.blob(3);
  if (package.size() != sizeof(sealed::PackageId) || measurement.size() != sizeof(Sha384Digest))
    return changed("a package's key");
  Record record;
  record.package = load<sealed::PackageId>(package);
  record.name = row.text(1);
  record.version = static_cast<uint32_t>(row.number(2));
  record.measurement = load<Sha384Digest>(measurement);
  record.policy = row.text(4);
  record.added_unix = row.number(5);
  return record;
}

Result<SecretKey> Store::key_in(const Statement& row, const Record& record) const {
  auto plain = show(label_of(record), row.blob(6));
  if (!plain || plain->size() != sizeof(SecretKey))
    return changed(formatted("the key of package {}", to_hex(record.package)));
  const Clearing clearing(*plain);
  return load<SecretKey>(*plain);
}

Result<std::vector<Record>> Store::list() {
  Statement rows = TRY(database_.prepare("SELECT * FROM keys ORDER BY name, version, added"));
  std::vector<Record> records;
  while (TRY(rows.step())) records.push_back(TRY(record_in(rows)));
  return records;
}

Result<std::pair<Record, SecretKey>> Store::row_of(const sealed::PackageId& package) {
  Statement row = TRY(database_.prepare("SELECT * FROM keys WHERE package = ?"));
  if (!TRY(row.bind(Bytes(package)).step()))
    return Error{Code::kNotFound, "the key store has no key of this package"};
  Record record = TRY(record_in(row));
  return std::pair(record, TRY(key_in(row, record)));
}

Result<Record> Store::find(const sealed::PackageId& package) {
  auto row = TRY(row_of(package));
  clear_secret(row.second);
  return row.first;
}

Result<SecretKey> Store::key_of(const Record& record) {
  auto row = TRY(row_of(record.package));
  const Clearing clearing(row.second);
  // Its label is all of the record.
  if (label_of(row.first) == label_of(record)) return row.second;
  return Error{Code::kUnavailable, "the policy of this package has just been changed; ask again"};
}

Status Store::set_policy(const std::string& name, uint32_t version, const std::string& policy) {
  auto transaction = TRY(Transaction::begin(database_));
  uint32_t count = 0;
  for (const Record& record : TRY(list())) {
    if (record.name != name || record.version != version) continue;
    auto row = TRY(row_of(record.package));
    const Clearing clearing(row.second);
    row.first.policy = policy;
    Statement update =
        TRY(database_.prepare("UPDATE keys SET policy = ?, hidden = ? WHERE package = ?"));
    update.bind(std::string_view(policy)).bind(hide(label_of(row.first), row.second));
    TRY(update.bind(Bytes(record.package)).step());
    ++count;
  }
  if (count != 0) return transaction.commit();
  return Error{Code::kNotFound, formatted("the key store has no version {} of model '{}'; "
                                          "casemate keys list shows what it has",
                                          version, name)};
}

Result<uint32_t> Store::floor(const std::string& name) {
  Statement row = TRY(database_.prepare("SELECT version FROM floors WHERE name = ?"));
  if (!TRY(row.bind(std::string_view(name)).step())) return uint32_t{0};
  return static_cast<uint32_t>(row.number(0));
}

Status Store::raise_floor(const std::string& name, uint32_t version) {
  Statement raise =
      TRY(database_.prepare("INSERT INTO floors VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET "
                            "version = max(version, excluded.version)"));
  TRY(raise.bind(std::string_view(name)).bind(version).step());
  return {};
}

Result<std::vector<Record>> Store::close_below(const std::string& name, uint32_t version) {
  auto transaction = TRY(Transaction::begin(database_));
  std::vector<Record> records = TRY(list());
  std::erase_if(records, [&](const Record& record) { return record.name != name; });
  if (records.empty()) {
    return Error{Code::kNotFound, formatted("the key store has no model '{}'; casemate keys list "
                                            "shows what it has",
                                            name)};
  }
  const uint32_t newest = std::ranges::max(records, {}, &Record::version).version;
  if (version > newest) {
    return Error{Code::kInvalid,
                 formatted("version {} of model '{}' was never sealed, and the newest, {}, could "
                           "not be opened any more; seal {} first",
                           version, name, newest, version)};
  }
  const uint32_t before = TRY(floor(name));
  TRY(raise_floor(name, version));
  TRY(transaction.commit());
  std::erase_if(records, [&](const Record& record) {
    return record.version < before || record.version >= version;
  });
  return records;
}

}  // namespace casemate::keys

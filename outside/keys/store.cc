// SPDX-License-Identifier: Apache-2.0
#include "outside/keys/store.h"

#include <unistd.h>

#include "base/format.h"
#include "outside/keys/aead.h"
#include "outside/keys/private_file.h"

namespace casemate::keys {
namespace {

constexpr std::string_view kMakerLabel = "casemate key store, maker";
constexpr const char* kTables =
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS keys (package BLOB PRIMARY KEY, name TEXT NOT NULL,"
    " version INTEGER NOT NULL, measurement BLOB NOT NULL, policy TEXT NOT NULL,"
    " added INTEGER NOT NULL, hidden BLOB NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS floors (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS audit (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " at INTEGER NOT NULL, released INTEGER NOT NULL, name TEXT NOT NULL,"
    " version INTEGER NOT NULL, line TEXT NOT NULL, evidence BLOB NOT NULL) STRICT";

// What a hidden key belongs to: it opens as no other package's.
std::vector<uint8_t> label_of(const Record& record) {
  const std::string text = formatted("casemate key store, {} {} {}", to_hex(record.package),
                                     record.version, record.name);
  const Bytes bytes = bytes_of(std::string_view(text));
  return {bytes.begin(), bytes.end()};
}

template <class T>
Result<T> exactly(const std::vector<uint8_t>& blob) {
  if (blob.size() != sizeof(T))
    return Error{Code::kInvalid, "key store: a value has the wrong size; restore a backup"};
  return load<T>(blob);
}

Result<Record> record_in(const Statement& row) {
  Record record;
  record.package = TRY(exactly<sealed::PackageId>(row.blob(0)));
  record.name = row.text(1);
  record.version = static_cast<uint32_t>(row.number(2));
  record.measurement = TRY(exactly<Sha384Digest>(row.blob(3)));
  record.policy = row.text(4);
  record.added_unix = row.number(5);
  return record;
}

Result<SecretKey> key_in_file(const std::string& path, bool store_exists, Random& random) {
  const auto found = read_private_file(path, sizeof(SecretKey));
  if (found) return exactly<SecretKey>(*found);
  if (found.error().code != Code::kNotFound) return found.error();
  if (store_exists) {
    return Error{Code::kNotFound, formatted("{}: the key of the key store is not there, and "
                                            "without it nothing in the store opens; put it back",
                                            path)};
  }
  SecretKey key;
  random.fill(key);
  TRY(write_private_file(path, key));
  return key;
}

}  // namespace

Result<Store> Store::open(const std::string& path, Clock& clock, Random& random) {
  const bool exists = ::access(path.c_str(), F_OK) == 0;
  const SecretKey key = TRY(key_in_file(path + ".key", exists, random));
  Store store(TRY(Database::open(path)), key, clock, random);
  TRY(store.prepare());
  return store;
}

Store::~Store() { clear_secret(key_); }

Status Store::prepare() {
  auto transaction = TRY(Transaction::begin(database_));
  TRY(database_.run(kTables));
  Statement maker = TRY(database_.prepare("SELECT value FROM facts WHERE name = 'maker'"));
  if (TRY(maker.step())) {
    const auto der = show(bytes_of(kMakerLabel), maker.blob(0));
    if (!der) {
      return Error{Code::kInvalid,
                   "key store: its key does not fit; the file beside it that ends "
                   "in .key is another store's, or one of them is damaged"};
    }
    maker_.emplace(TRY(SigningKey::from_der(*der)));
    return {};
  }
  maker_.emplace(TRY(SigningKey::generate()));
  auto der = TRY(maker_->to_der());
  const auto hidden = hide(bytes_of(kMakerLabel), der);
  clear_secret(der);
  Statement insert = TRY(database_.prepare("INSERT INTO facts VALUES ('maker', ?)"));
  TRY(insert.bind(hidden).step());
  return transaction.commit();
}

std::vector<uint8_t> Store::hide(Bytes label, Bytes secret) {
  ByteArray<12> nonce;
  random_->fill(nonce);
  const auto sealed = seal_bytes(key_, nonce, label, secret);
  std::vector<uint8_t> hidden(nonce.begin(), nonce.end());
  hidden.insert(hidden.end(), sealed.begin(), sealed.end());
  return hidden;
}

Result<std::vector<uint8_t>> Store::show(Bytes label, Bytes hidden) const {
  if (hidden.size() < sizeof(ByteArray<12>))
    return Error{Code::kInvalid, "key store: a value is too short"};
  return open_bytes(key_, load<ByteArray<12>>(hidden), label, hidden.subspan(12));
}

Status Store::add(const Record& record, const SecretKey& key, bool keep_older) {
  auto transaction = TRY(Transaction::begin(database_));
  const uint32_t lowest = TRY(floor(record.name));
  if (record.version < lowest) {
    return Error{Code::kDenied,
                 formatted("version {} of model '{}' is below {}, the lowest that may be opened; "
                           "seal it as {} or higher",
                           record.version, record.name, lowest, lowest)};
  }
  Statement insert = TRY(database_.prepare("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)"));
  insert.bind(Bytes(record.package)).bind(std::string_view(record.name)).bind(record.version);
  insert.bind(Bytes(record.measurement)).bind(std::string_view(record.policy));
  TRY(insert.bind(clock_->unix_seconds()).bind(hide(label_of(record), key)).step());
  if (!keep_older) TRY(raise_floor(record.name, record.version));
  return transaction.commit();
}

Result<std::vector<Record>> Store::list() {
  Statement rows = TRY(database_.prepare("SELECT * FROM keys ORDER BY name, version, added"));
  std::vector<Record> records;
  while (TRY(rows.step())) records.push_back(TRY(record_in(rows)));
  return records;
}

Result<Record> Store::find(const sealed::PackageId& package) {
  Statement row = TRY(database_.prepare("SELECT * FROM keys WHERE package = ?"));
  if (TRY(row.bind(Bytes(package)).step())) return record_in(row);
  return Error{Code::kNotFound, "the key store has no key of this package"};
}

Result<SecretKey> Store::key_of(const Record& record) {
  Statement row = TRY(database_.prepare("SELECT hidden FROM keys WHERE package = ?"));
  if (!TRY(row.bind(Bytes(record.package)).step()))
    return Error{Code::kNotFound, "the key store has no key of this package"};
  auto plain = TRY(show(label_of(record), row.blob(0)));
  const auto key = exactly<SecretKey>(plain);
  clear_secret(plain);
  return key;
}

Status Store::set_policy(const std::string& name, uint32_t version, const std::string& policy) {
  Statement update = TRY(
      database_.prepare("UPDATE keys SET policy = ? WHERE name = ? AND version = ? RETURNING 1"));
  update.bind(std::string_view(policy)).bind(std::string_view(name)).bind(version);
  if (!TRY(update.step())) {
    return Error{Code::kNotFound, formatted("the key store has no version {} of model '{}'; "
                                            "casemate keys list shows what it has",
                                            version, name)};
  }
  while (TRY(update.step())) {
  }
  return {};
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

Status Store::write_audit(const AuditLine& line, Bytes evidence_hash) {
  Statement insert = TRY(
      database_.prepare("INSERT INTO audit (at, released, name, version, line, evidence) VALUES "
                        "(?, ?, ?, ?, ?, ?)"));
  insert.bind(clock_->unix_seconds()).bind(line.released ? 1 : 0);
  insert.bind(std::string_view(line.name)).bind(line.version);
  TRY(insert.bind(std::string_view(line.line)).bind(evidence_hash).step());
  return {};
}

Result<std::vector<AuditLine>> Store::audit(uint32_t count) {
  Statement rows = TRY(database_.prepare(
      "SELECT number, at, released, name, version, line FROM audit ORDER BY number DESC LIMIT ?"));
  rows.bind(count);
  std::vector<AuditLine> lines;
  while (TRY(rows.step())) {
    lines.push_back({rows.number(0), rows.number(1), rows.number(2) != 0, rows.text(3),
                     static_cast<uint32_t>(rows.number(4)), rows.text(5)});
  }
  return lines;
}

}  // namespace casemate::keys

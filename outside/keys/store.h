// SPDX-License-Identifier: Apache-2.0
#pragma once
// Store: an owner's keys: one for each package that was sealed, the key that signs packages, the
// lowest version of each model that may still be opened, and a log of every key that was given out
// or refused. One SQLite file, and beside it a file with the key that the keys in it are encrypted
// with.
//
//   Owns     the database and the store's key.
//   Threads  one; several processes may have the same store open.
//   Trust    both files are the owner's alone. Who has one of them has no key; who can write the
//            database and has not its key can take keys away, and give none to anybody: what
//            decides who gets a key, and the log, were written with that key or do not count.
//   Fails    kDenied for files that others can read, kInvalid where the two do not belong
//            together, kNotFound, kPlatform, also for what is damaged or was changed.

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "outside/keys/database.h"
#include "outside/keys/store_files.h"
#include "wire/sealed/sealed.h"

namespace casemate::keys {

// What is known about one package.
struct Record {
  sealed::PackageId package{};
  std::string name;
  uint32_t version = 0;
  Sha384Digest measurement{};  // of an enclave that serves it
  std::string policy;          // JSON: who may have the key
  int64_t added_unix = 0;
};

struct AuditLine {
  int64_t number = 0;
  int64_t at_unix = 0;
  bool released = false;
  std::string name;
  uint32_t version = 0;
  std::string line;  // the verdict's, or why it was refused
};

class Store final {
 public:
  // The store's key is in `path`.key. With `make`, both files are made where there are none.
  static Result<Store> open(const std::string& path, Clock& clock, Random& random,
                            bool make = false);
  Store(Store&&) noexcept = default;

  // The key that signs packages, made with the store.
  [[nodiscard]] const SigningKey& maker() const { return *maker_; }
  [[nodiscard]] const std::string& path() const { return files_.path(); }
  // For how long another process that writes is waited for, from now on; 10 s until then.
  void wait_at_most(std::chrono::milliseconds time) { database_.wait_at_most(time); }

  // Keeps a key. Unless `keep_older`, no version below this one is opened any more. kDenied for one
  // that is itself below what may be opened.
  Status add(const Record& record, const SecretKey& key, bool keep_older);
  // As the database has them: find() says of each whether it is as it was written.
  Result<std::vector<Record>> list();
  // What was written with the store's key: kPlatform for a row that has been changed since.
  Result<Record> find(const sealed::PackageId& package);
  // Requires: `record` is what find() gave. kUnavailable where it has another policy by now.
  Result<SecretKey> key_of(const Record& record);
  // Who may have the keys of that version from now on.
  Status set_policy(const std::string& name, uint32_t version, const std::string& policy);

  // The lowest version that may be opened; 0: any. It never falls.
  Result<uint32_t> floor(const std::string& name);
  Status raise_floor(const std::string& name, uint32_t version);
  // kDenied for a version that is below it.
  Status check_floor(const std::string& name, uint32_t version);
  // The same for a version that was sealed or one below; what is not opened any more thereby.
  // Refused for one that would leave nothing to open.
  Result<std::vector<Record>> close_below(const std::string& name, uint32_t version);

  // On disk when it returns.
  Status write_audit(const AuditLine& line, Bytes evidence_hash);
  // The same of a key that goes out, unless by now that version is not opened any more (kDenied) or
  // has another policy (kUnavailable): whoever closes it finds every later line a refusal.
  Status write_release(const Record& record, const AuditLine& line, Bytes evidence_hash);
  // The latest ones, the latest first.
  Result<std::vector<AuditLine>> audit(uint32_t count);
  // kInvalid with the first line of the log that is not as it was written.
  Status check_audit();

 private:
  Store(StoreFiles files, Database database, Clock& clock, Random& random)
      : files_(std::move(files)),
        database_(std::move(database)),
        clock_(&clock),
        random_(&random) {}
  Status prepare(bool make);
  Result<int64_t> tables();
  Status begin();
  std::vector<uint8_t> hide(Bytes label, Bytes secret);
  Result<std::vector<uint8_t>> show(Bytes label, Bytes hidden) const;
  [[nodiscard]] Error changed(std::string_view what) const;
  Status append_audit(const AuditLine& line, Bytes evidence_hash);
  Status write_audit_end(Bytes last);
  Status check_audit_end(Bytes last);
  Result<Record> record_in(const Statement& row) const;
  Result<SecretKey> key_in(const Statement& row, const Record& record) const;
  Result<std::pair<Record, SecretKey>> row_of(const sealed::PackageId& package);

  StoreFiles files_;
  Database database_;
  std::optional<SigningKey> maker_;
  Clock* clock_;
  Random* random_;
};

}  // namespace casemate::keys

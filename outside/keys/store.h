// SPDX-License-Identifier: Apache-2.0
#pragma once
// Store: an owner's keys: one for each package that was sealed, the key that signs packages, the
// lowest version of each model that may still be opened, and a log of every key that was given out
// or refused. One SQLite file, and beside it a file with the key that the keys in it are encrypted
// with.
//
//   Owns     the database and the store's key.
//   Threads  one; several processes may have the same store open.
//   Trust    both files are the owner's alone. Who has one of them has no key.
//   Fails    kDenied for files that others can read, kInvalid where the two do not belong together,
//            kNotFound, kPlatform.

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "outside/keys/database.h"
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
  // Makes both files where there are none. The store's key is in `path`.key.
  static Result<Store> open(const std::string& path, Clock& clock, Random& random);
  Store(Store&&) noexcept = default;
  ~Store();

  // The key that signs packages, made with the store.
  [[nodiscard]] const SigningKey& maker() const { return *maker_; }

  // Keeps a key. Unless `keep_older`, no version below this one is opened any more. kDenied for one
  // that is itself below what may be opened.
  Status add(const Record& record, const SecretKey& key, bool keep_older);
  Result<std::vector<Record>> list();
  Result<Record> find(const sealed::PackageId& package);
  Result<SecretKey> key_of(const Record& record);
  // Who may have the keys of that version from now on.
  Status set_policy(const std::string& name, uint32_t version, const std::string& policy);
  // The lowest version that may be opened; 0: any. It never falls.
  Result<uint32_t> floor(const std::string& name);
  Status raise_floor(const std::string& name, uint32_t version);

  // On disk when it returns.
  Status write_audit(const AuditLine& line, Bytes evidence_hash);
  // The latest ones, the latest first.
  Result<std::vector<AuditLine>> audit(uint32_t count);

 private:
  Store(Database database, const SecretKey& key, Clock& clock, Random& random)
      : database_(std::move(database)), key_(key), clock_(&clock), random_(&random) {}
  Status prepare();
  std::vector<uint8_t> hide(Bytes label, Bytes secret);
  Result<std::vector<uint8_t>> show(Bytes label, Bytes hidden) const;

  Database database_;
  SecretKey key_;
  std::optional<SigningKey> maker_;
  Clock* clock_;
  Random* random_;
};

}  // namespace casemate::keys

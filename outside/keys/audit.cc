// SPDX-License-Identifier: Apache-2.0
// The store's log: a chain of lines, each with a tag over itself and the tag before it, and beside
// it what says where it ends. Who has the database and not the store's key can write none of these.
#include <limits>

#include "base/format.h"
#include "outside/keys/aead.h"
#include "outside/keys/store.h"

namespace casemate::keys {
namespace {

constexpr std::string_view kAuditLabel = "casemate key store, audit";
constexpr std::string_view kEndLabel = "the log ends here";

using Tag = std::vector<uint8_t>;

// Derived once for however many tags.
class AuditKey final {
 public:
  explicit AuditKey(const SecretKey& store) : key_(derive_key(store, {}, bytes_of(kAuditLabel))) {}
  ~AuditKey() { clear_secret(key_); }
  AuditKey(const AuditKey&) = delete;

  [[nodiscard]] Tag tag(Bytes message) const {
    const auto tag = tag_of(key_, message);
    return {tag.begin(), tag.end()};
  }

 private:
  SecretKey key_;
};

// All but the tag of a row of the table.
struct AuditRow {
  AuditLine line;
  std::vector<uint8_t> evidence;
};

Tag tag_of_row(const AuditKey& key, const Tag& previous, const AuditRow& row) {
  std::vector<uint8_t> message;
  const auto append = [&](Bytes bytes) {
    message.insert(message.end(), bytes.begin(), bytes.end());
  };
  // Behind its length, so that neighbours cannot trade bytes.
  const auto field = [&](Bytes bytes) {
    const uint64_t size = bytes.size();
    append(bytes_of(size));
    append(bytes);
  };
  field(previous);
  for (const int64_t number : {row.line.number, row.line.at_unix, int64_t{row.line.released},
                               static_cast<int64_t>(row.line.version)})
    append(bytes_of(number));
  field(bytes_of(std::string_view(row.line.name)));
  field(bytes_of(std::string_view(row.line.line)));
  field(row.evidence);
  return key.tag(message);
}

Tag tag_of_end(const AuditKey& key, const Tag& last) {
  std::vector<uint8_t> message(last);
  const Bytes label = bytes_of(kEndLabel);
  message.insert(message.end(), label.begin(), label.end());
  return key.tag(message);
}

AuditLine line_in(const Statement& row) {
  return {row.number(0),
          row.number(1),
          row.number(2) != 0,
          row.text(3),
          static_cast<uint32_t>(row.number(4)),
          row.text(5)};
}

}  // namespace

Status Store::write_audit_end(Bytes last) {
  const Tag tag = tag_of_end(AuditKey(files_.key()), {last.begin(), last.end()});
  Statement end = TRY(database_.prepare("REPLACE INTO facts VALUES ('audit end', ?)"));
  TRY(end.bind(Bytes(tag)).step());
  return {};
}

// What was cut off must not be written over by whoever makes the next line be written.
Status Store::check_audit_end(Bytes last) {
  const Tag tag = tag_of_end(AuditKey(files_.key()), {last.begin(), last.end()});
  Statement end = TRY(database_.prepare("SELECT value FROM facts WHERE name = 'audit end'"));
  if (TRY(end.step()) && equal_secret(end.blob(0), tag)) return {};
  return changed("the end of its log");
}

Status Store::write_audit(const AuditLine& line, Bytes evidence_hash) {
  auto transaction = TRY(Transaction::begin(database_));
  TRY(append_audit(line, evidence_hash));
  return transaction.commit();
}

Status Store::write_release(const Record& record, const AuditLine& line, Bytes evidence_hash) {
  auto transaction = TRY(Transaction::begin(database_));
  TRY(check_floor(record.name, record.version));
  SecretKey key = TRY(key_of(record));
  clear_secret(key);
  TRY(append_audit(line, evidence_hash));
  return transaction.commit();
}

// Requires: a transaction.
Status Store::append_audit(const AuditLine& line, Bytes evidence_hash) {
  AuditRow row{line, {evidence_hash.begin(), evidence_hash.end()}};
  row.line.at_unix = clock_->unix_seconds();
  Tag previous;
  {
    Statement last =
        TRY(database_.prepare("SELECT number, tag FROM audit ORDER BY number DESC LIMIT 1"));
    const bool found = TRY(last.step());
    if (found) previous = last.blob(1);
    if (found && last.number(0) == std::numeric_limits<int64_t>::max())
      return changed("the number of its last line");
    row.line.number = (found ? last.number(0) : 0) + 1;
  }
  TRY(check_audit_end(previous));
  const Tag tag = tag_of_row(AuditKey(files_.key()), previous, row);
  Statement insert = TRY(database_.prepare("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.bind(row.line.number).bind(row.line.at_unix).bind(int64_t{row.line.released});
  insert.bind(std::string_view(row.line.name)).bind(row.line.version);
  TRY(insert.bind(std::string_view(row.line.line)).bind(evidence_hash).bind(Bytes(tag)).step());
  return write_audit_end(tag);
}

Result<std::vector<AuditLine>> Store::audit(uint32_t count) {
  Statement rows = TRY(database_.prepare("SELECT * FROM audit ORDER BY number DESC LIMIT ?"));
  rows.bind(count);
  std::vector<AuditLine> lines;
  while (TRY(rows.step())) lines.push_back(line_in(rows));
  return lines;
}

Status Store::check_audit() {
  const auto broken = [&](int64_t number) {
    return Error{Code::kInvalid,
                 formatted("key store {}: its log was changed, from line {} on it is not what was "
                           "written; compare it with a backup",
                           path(), number)};
  };
  // All of it at one moment.
  const auto transaction = TRY(Transaction::begin(database_));
  const AuditKey key(files_.key());
  Statement rows = TRY(database_.prepare("SELECT * FROM audit ORDER BY number"));
  Tag previous;
  int64_t next = 1;
  for (; TRY(rows.step()); ++next) {
    const AuditRow row{line_in(rows), rows.blob(6)};
    const Tag tag = rows.blob(7);
    if (row.line.number != next || !equal_secret(tag, tag_of_row(key, previous, row)))
      return broken(next);
    previous = tag;
  }
  return check_audit_end(previous) ? Status() : broken(next);
}

}  // namespace casemate::keys

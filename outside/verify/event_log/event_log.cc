// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/event_log/event_log.h"

#include <algorithm>
#include <map>

#include "base/crypto.h"
#include "base/format.h"

namespace casemate::verify {
namespace {

constexpr uint32_t kEnd = 0xFFFFFFFF;  // index behind the last event, where the table is longer
constexpr size_t kLegacyDigest = 20;
constexpr std::string_view kHeader("Spec ID Event03\0", 16);
constexpr std::string_view kLocality("StartupLocality\0", 16);

// The log is little-endian, as firmware is.
class LogReader final {
 public:
  explicit LogReader(Bytes bytes) : bytes_(bytes) {}

  Result<Bytes> bytes(size_t size, std::string_view what) {
    if (bytes_.size() - at_ < size) {
      return Error{Code::kInvalid,
                   formatted("event {} of the log, at byte {}: {} ends after {} of {} bytes",
                             event_, at_, what, bytes_.size() - at_, size)};
    }
    at_ += size;
    return bytes_.subspan(at_ - size, size);
  }
  template <class T>
  Result<T> number(std::string_view what) {
    return load<T>(TRY(bytes(sizeof(T), what)));
  }
  Error wrong(std::string_view what) const {
    return {Code::kInvalid, formatted("event {} of the log, at byte {}: {}", event_, at_, what)};
  }
  void next() { ++event_; }
  [[nodiscard]] bool empty() const { return at_ == bytes_.size(); }

 private:
  Bytes bytes_;
  size_t at_ = 0;
  size_t event_ = 0;
};

std::vector<uint8_t> hash_of(LogHash hash, Bytes data) {
  if (hash == LogHash::kSha256) {
    const auto digest = sha256(data);
    return {digest.begin(), digest.end()};
  }
  const auto digest = sha384(data);
  return {digest.begin(), digest.end()};
}

bool starts_with(Bytes data, std::string_view text) { return text_of(data).starts_with(text); }

// The size of each hash's digests, from the first event, which is in the old form
// (TCG_EfiSpecIDEvent).
Result<std::map<uint16_t, size_t>> read_header(LogReader& log) {
  TRY(log.bytes(4, "the header's register"));
  if (TRY(log.number<uint32_t>("the header's type")) != LoggedEvent::kNoAction)
    return log.wrong("a log begins with an event that measures nothing");
  TRY(log.bytes(kLegacyDigest, "the header's digest"));
  const auto size = TRY(log.number<uint32_t>("the header's size"));
  LogReader header(TRY(log.bytes(size, "the header")));
  if (!starts_with(TRY(header.bytes(kHeader.size(), "the signature")), kHeader))
    return log.wrong("the log is not crypto-agile (it does not begin with Spec ID Event03)");
  TRY(header.bytes(4 + 4, "the header's versions"));
  const auto count = TRY(header.number<uint32_t>("the number of hashes"));
  if (count > 16) return log.wrong(formatted("the header names {} hashes", count));
  std::map<uint16_t, size_t> sizes;
  for (uint32_t i = 0; i < count; ++i) {
    const auto hash = TRY(header.number<uint16_t>("a hash"));
    const auto length = TRY(header.number<uint16_t>("a digest's size"));
    if (length == 0 || length > 64 || !sizes.emplace(hash, length).second)
      return log.wrong(
          formatted("the header names hash {:#06x} twice, or with {} bytes", hash, length));
  }
  TRY(header.bytes(TRY(header.number<uint8_t>("the vendor's size")), "the vendor's data"));
  if (!header.empty()) return log.wrong("the header is followed by bytes that do not belong to it");
  return sizes;
}

// TCG_PCR_EVENT2 behind its index.
Result<LoggedEvent> read_event(LogReader& log, const std::map<uint16_t, size_t>& sizes,
                               uint16_t hash) {
  LoggedEvent event;
  event.type = TRY(log.number<uint32_t>("its type"));
  const auto count = TRY(log.number<uint32_t>("its number of digests"));
  if (count != sizes.size())
    return log.wrong(formatted("it has {} digests, and the header names {}", count, sizes.size()));
  for (uint32_t i = 0; i < count; ++i) {
    const auto algorithm = TRY(log.number<uint16_t>("a digest's hash"));
    const auto size = sizes.find(algorithm);
    if (size == sizes.end())
      return log.wrong(
          formatted("it has a digest of hash {:#06x}, which the header does not name", algorithm));
    const Bytes digest = TRY(log.bytes(size->second, "a digest"));
    if (algorithm != hash) continue;
    if (!event.digest.empty()) return log.wrong("it has two digests of one hash");
    event.digest = digest;
  }
  if (event.digest.empty()) return log.wrong("it has no digest of the hash that is asked for");
  event.data = TRY(log.bytes(TRY(log.number<uint32_t>("its data's size")), "its data"));
  return event;
}

}  // namespace

bool EventLog::looks_like(Bytes bytes) {
  constexpr size_t kName = 4 + 4 + kLegacyDigest + 4;
  return bytes.size() > kName + kHeader.size() &&
         load<uint32_t>(bytes.subspan(4)) == LoggedEvent::kNoAction &&
         starts_with(bytes.subspan(kName), kHeader);
}

Result<EventLog> EventLog::read(Bytes bytes, LogHash hash) {
  if (bytes.size() > kBytes)
    return Error{Code::kTooLarge,
                 formatted("the log has {} bytes, over the limit of {}", bytes.size(), kBytes)};
  LogReader log(bytes);
  const auto sizes = TRY(read_header(log));
  const auto algorithm = static_cast<uint16_t>(hash);
  const size_t size = hash == LogHash::kSha256 ? 32 : 48;
  const auto found = sizes.find(algorithm);
  if (found == sizes.end())
    return Error{Code::kUnsupported, formatted("the log has no digests of {} bytes", size)};
  if (found->second != size) return log.wrong("the header has a wrong size for the hash");
  EventLog read(hash);
  while (!log.empty()) {
    log.next();
    const auto index = TRY(log.number<uint32_t>("its register"));
    if (index == kEnd) break;
    if (index >= kRegisters) return log.wrong(formatted("there is no register {}", index));
    LoggedEvent event = TRY(read_event(log, sizes, algorithm));
    event.index = index;
    event.data_measured = std::ranges::equal(hash_of(hash, event.data), event.digest);
    if (index == 0 && event.type == LoggedEvent::kNoAction && starts_with(event.data, kLocality) &&
        event.data.size() > kLocality.size())
      read.startup_locality_ = event.data[kLocality.size()];
    read.events_.push_back(event);
  }
  return read;
}

std::vector<uint8_t> EventLog::replay(uint32_t index) const {
  std::vector<uint8_t> value(hash_ == LogHash::kSha256 ? 32 : 48);
  if (index == 0) value.back() = startup_locality_;
  for (const LoggedEvent& event : events_) {
    if (event.index != index || event.type == LoggedEvent::kNoAction) continue;
    value.insert(value.end(), event.digest.begin(), event.digest.end());
    value = hash_of(hash_, value);
  }
  return value;
}

}  // namespace casemate::verify

// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/address.h"

#include <charconv>

#include "base/format.h"

namespace casemate::launch {

Result<Address> Address::parse(std::string_view text) {
  const Error refused{Code::kInvalid,
                      formatted("'{}' is no address to listen on; write {}", text, kForm)};
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refused;
  const std::string_view port = text.substr(colon + 1);
  Address address;
  // Not left to getaddrinfo(): it takes 99999 and listens on what is left of it in 16 bits.
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return refused;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  // Without brackets nobody can tell an IPv6 address's last group from a port.
  if (host.empty() || host.find_first_of("[]") != std::string_view::npos ||
      (host.find(':') != std::string_view::npos) != bracketed) {
    return refused;
  }
  address.host = host;
  return address;
}

}  // namespace casemate::launch

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Accepted values of a policy: a list of byte strings, written as hexadecimal text, of which
// evidence must show one. An empty list pins nothing, and the check beside it says so.
//
//   Owns     values.
//   Threads  pure functions.
//   Trust    the list is the user's own word; the value compared with it is not.
//   Fails    parsing with kInvalid, the key, and what it should hold.

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "outside/verdict/checks.h"
#include "outside/verdict/strict_json.h"

namespace casemate::verify {

using AcceptedValues = std::vector<std::vector<uint8_t>>;

// The list under `key`, each value of `size` bytes (0: of any size up to 1 KiB); empty when the
// key is absent.
Result<AcceptedValues> parse_accepted_values(JsonObject& object, std::string_view key, size_t size);
nlohmann::ordered_json accepted_values_json(const AcceptedValues& values);

// Good when `actual` is in the list, allowed when the list is empty.
Finding one_of_accepted(const AcceptedValues& accepted, Bytes actual);

// What a reading step found: good, or its error beside `expected`.
Finding finding_of(const Status& status, std::string_view expected);

// What to do about a certificate that was revoked (an error kDenied), a list of revoked ones that
// is missing (kNotFound), and one that is there and does not count.
struct RevocationAdvice {
  std::string_view revoked;
  std::string_view missing;
  std::string_view unusable;
};
// The finding of a check of revocation, with the advice that fits.
Finding revocation_of(const Status& checked, std::string_view expected,
                      const RevocationAdvice& advice);
// The same where lists need not be there: `shown` succeeds when there is a list for every
// certificate, `listed` when the lists that are there name none. Without a list nothing is known,
// which is allowed and said.
Finding unrevoked(const Status& shown, const Status& listed, std::string_view expected,
                  const RevocationAdvice& advice);

}  // namespace casemate::verify

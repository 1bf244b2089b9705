// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/intel/statements.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "outside/verdict/strict_json.h"

namespace casemate::verify::intel {
namespace {

using Json = nlohmann::json;

// The bytes of the value of `key` in the outermost object of `text`. Requires: `text` is an
// object by parse_json(), which took it for sound and found no key twice.
std::string_view raw_member(std::string_view text, std::string_view key) {
  int depth = 0;
  size_t string_at = 0;  // where the string that ended last began, its quote included
  bool in_string = false;
  size_t value_at = std::string_view::npos;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
      continue;
    }
    const bool found = value_at != std::string_view::npos;
    if (c == '"') {
      in_string = true;
      string_at = i;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == ':' && depth == 1 && !found) {
      if (text.substr(string_at + 1).starts_with(std::string(key) + '"')) value_at = i + 1;
    } else if (found && depth == 1 && (c == ',' || c == '}')) {
      std::string_view value = text.substr(value_at, i - value_at);
      constexpr std::string_view kSpace = " \t\r\n";
      value.remove_prefix(std::min(value.find_first_not_of(kSpace), value.size()));
      return value.substr(0, value.find_last_not_of(kSpace) + 1);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return {};
}

const std::string* text_at(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

Result<std::vector<uint8_t>> hex_at(const Json& object, std::string_view key,
                                    const std::string& where) {
  const std::string* text = text_at(object, key);
  auto bytes = text == nullptr ? Result<std::vector<uint8_t>>(Code::kInvalid, "") : from_hex(*text);
  if (!bytes)
    return Error{Code::kInvalid, formatted("{}: \"{}\" should be hexadecimal digits", where, key)};
  return bytes;
}

Status take_answer(std::string_view text, const Json& root, const std::string& where,
                   Statements& into) {
  struct Form {
    std::string_view key;
    std::string_view name;
    std::vector<Statement>& list;
  };
  for (const Form& form : {Form{"tcbInfo", "the TCB info", into.tcb_infos},
                           Form{"enclaveIdentity", "the QE identity", into.qe_identities}}) {
    if (!root.contains(form.key)) continue;
    form.list.push_back({formatted("{} of {}", form.name, where),
                         std::string(raw_member(text, form.key)),
                         TRY(hex_at(root, "signature", where))});
  }
  return {};
}

Status take_bundle(const Json& root, const std::string& where, Statements& into) {
  if (const std::string* info = text_at(root, "tcb_info"); info != nullptr) {
    into.tcb_infos.push_back({formatted("the TCB info of {}", where), *info,
                              TRY(hex_at(root, "tcb_info_signature", where))});
  }
  if (const std::string* identity = text_at(root, "qe_identity"); identity != nullptr) {
    into.qe_identities.push_back({formatted("the QE identity of {}", where), *identity,
                                  TRY(hex_at(root, "qe_identity_signature", where))});
  }
  for (const std::string_view key :
       {"pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain"}) {
    if (const std::string* chain = text_at(root, key); chain != nullptr) {
      for (auto& certificate : TRY(certificates_in_pem(*chain)))
        into.certificates.push_back(certificate);
    }
  }
  for (const std::string_view key : {"root_ca_crl", "pck_crl"}) {
    if (root.contains(key))
      into.crls.push_back(TRY(X509Crl::from_der(TRY(hex_at(root, key, where)))));
  }
  return {};
}

Status take_document(const Collateral::File& file, Statements& into) {
  const std::string where = printable(file.name, 64);
  const std::string_view text = casemate::text_of(file.content);
  const Json root = TRY(parse_json(text, where));
  if (!root.is_object()) return {};
  TRY(take_answer(text, root, where, into));
  return take_bundle(root, where, into);
}

}  // namespace

Statements statements_of(const Collateral& collateral) {
  Statements statements;
  statements.certificates.assign(collateral.certificates().begin(),
                                 collateral.certificates().end());
  statements.crls.assign(collateral.crls().begin(), collateral.crls().end());
  for (const Collateral::File& file : collateral.documents()) {
    const Status taken = take_document(file, statements);
    if (!taken && statements.broken.empty()) statements.broken = taken.error().text;
  }
  return statements;
}

}  // namespace casemate::verify::intel

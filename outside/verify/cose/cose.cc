// SPDX-License-Identifier: Apache-2.0
#include "outside/verify/cose/cose.h"

#include <optional>

#include "base/format.h"
#include "outside/verdict/cbor_writer.h"
#include "outside/verify/x509/certificates.h"

namespace casemate::verify {
namespace {

constexpr uint64_t kSign1Tag = 18;
constexpr int64_t kAlgorithm = 1;  // labels of headers
constexpr int64_t kCritical = 2;

struct Method {
  int64_t algorithm;
  std::string_view digest;
  size_t signature_size;
  size_t key_size;  // of an SPKI with a named curve and an uncompressed point
};
constexpr std::array<Method, 3> kMethods = {
    {{kEs256, "SHA256", 64, 91}, {kEs384, "SHA384", 96, 120}, {kEs512, "SHA512", 132, 158}}};

Result<int64_t> algorithm_in(Bytes header, std::string_view what) {
  CborReader reader(header);
  const uint64_t count = TRY(reader.head(CborType::kMap, "the protected header"));
  std::optional<int64_t> algorithm;
  for (uint64_t i = 0; i < count; ++i) {
    if (reader.next() == CborType::kText) {
      TRY(reader.text("a label"));
      TRY(reader.skip("a header"));
      continue;
    }
    const int64_t label = TRY(reader.integer("a label"));
    if (label == kCritical)
      return Error{Code::kUnsupported, formatted("{} has critical headers that this build does "
                                                 "not know",
                                                 what)};
    if (label != kAlgorithm) {
      TRY(reader.skip("a header"));
      continue;
    }
    if (algorithm) return Error{Code::kInvalid, formatted("{} names two algorithms", what)};
    algorithm = TRY(reader.integer("the algorithm"));
  }
  TRY(reader.end("the protected header"));
  if (!algorithm) return Error{Code::kInvalid, formatted("{} names no algorithm", what)};
  return *algorithm;
}

std::vector<uint8_t> signed_structure(Bytes header, Bytes payload) {
  CborWriter writer;
  writer.head(CborType::kArray, 4).text("Signature1").bytes(header).bytes({}).bytes(payload);
  return writer.written();
}

}  // namespace

Result<Sign1> read_sign1(CborReader& reader, std::string_view what) {
  if (TRY(reader.head(CborType::kTag, what)) != kSign1Tag)
    return Error{Code::kInvalid, formatted("{} is no COSE_Sign1 (tag 18)", what)};
  if (TRY(reader.head(CborType::kArray, what)) != 4)
    return Error{Code::kInvalid, formatted("{} should have four parts", what)};
  Sign1 item;
  item.protected_header = TRY(reader.bytes("the protected header"));
  if (reader.next() != CborType::kMap)
    return Error{Code::kInvalid, formatted("{} has no map of other headers", what)};
  TRY(reader.skip("the other headers"));
  item.payload = TRY(reader.bytes("the payload"));
  item.signature = TRY(reader.bytes("the signature"));
  item.algorithm = TRY(algorithm_in(item.protected_header, what));
  return item;
}

Status check_sign1(const Sign1& signed_item, Bytes key) {
  const auto method = std::ranges::find(kMethods, signed_item.algorithm, &Method::algorithm);
  if (method == kMethods.end()) {
    return Error{Code::kUnsupported, formatted("algorithm {}, and this build knows ES256, ES384 "
                                               "and ES512",
                                               signed_item.algorithm)};
  }
  if (signed_item.signature.size() != method->signature_size || key.size() != method->key_size) {
    return Error{Code::kInvalid,
                 formatted("a signature of {} bytes and a key of {} do not go with algorithm {}",
                           signed_item.signature.size(), key.size(), signed_item.algorithm)};
  }
  return check_signature(key, method->digest,
                         signed_structure(signed_item.protected_header, signed_item.payload),
                         signed_item.signature, true);
}

Result<std::vector<uint8_t>> key_of_cose(Bytes key) {
  CborReader reader(key);
  const uint64_t count = TRY(reader.head(CborType::kMap, "the key"));
  std::optional<int64_t> type;
  std::optional<int64_t> curve;
  std::optional<Bytes> x;
  std::optional<Bytes> y;
  for (uint64_t i = 0; i < count; ++i) {
    const int64_t label = TRY(reader.integer("a label of the key"));
    if ((label == 1 && type) || (label == -1 && curve) || (label == -2 && x) || (label == -3 && y))
      return Error{Code::kInvalid, formatted("the key has the label {} twice", label)};
    if (label == 1) {
      type = TRY(reader.integer("the key's type"));
    } else if (label == -1) {
      curve = TRY(reader.integer("the key's curve"));
    } else if (label == -2) {
      x = TRY(reader.bytes("the key's x"));
    } else if (label == -3) {
      y = TRY(reader.bytes("the key's y"));
    } else {
      TRY(reader.skip("a member of the key"));
    }
  }
  TRY(reader.end("the key"));
  if (type != 2 || !curve || *curve < 1 || *curve > 3 || !x || !y)
    return Error{Code::kUnsupported, "the key is no point, whole, on P-256, P-384 or P-521"};
  const std::array<std::string_view, 3> names = {"P-256", "P-384", "P-521"};
  return key_of_point(names[static_cast<size_t>(*curve - 1)], *x, *y);
}

Result<std::vector<uint8_t>> make_sign1(Bytes payload, const SigningKey& key) {
  CborWriter header;
  header.head(CborType::kMap, 1).integer(kAlgorithm).integer(kEs384);
  const Signature signature = TRY(key.sign(signed_structure(header.written(), payload)));
  CborWriter writer;
  writer.head(CborType::kTag, kSign1Tag).head(CborType::kArray, 4).bytes(header.written());
  writer.head(CborType::kMap, 0).bytes(payload).bytes(signature);
  return writer.written();
}

}  // namespace casemate::verify

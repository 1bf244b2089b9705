// SPDX-License-Identifier: Apache-2.0
#include "outside/seal/seal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <bit>

#include "base/format.h"
#include "base/mapping.h"
#include "outside/keys/aead.h"
#include "outside/seal/cut.h"
#include "outside/verify/policy.h"
#include "outside/zoo/output_file.h"

namespace casemate::seal {
namespace {

Result<Mapping> map_model(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts{};
  if (!fd.valid() || ::fstat(fd.number(), &facts) != 0) return errno_error(path);
  if (!S_ISREG(facts.st_mode) || facts.st_size == 0)
    return Error{Code::kInvalid, formatted("{}: is no file with a model in it", path)};
  return Mapping::shared(fd.number(), static_cast<size_t>(facts.st_size), false);
}

Status check_order(const Order& order) {
  if (order.name.empty() || order.name.size() >= sizeof(Text<64>))
    return Error{Code::kInvalid, "a sealed model needs a name of 1 to 63 characters: --model NAME"};
  if (order.version == 0)
    return Error{Code::kInvalid, "versions of sealed models begin with 1: --version N"};
  if (order.chunk_bytes < sealed::kChunkMin || order.chunk_bytes > sealed::kChunkMax ||
      !std::has_single_bit(order.chunk_bytes))
    return Error{Code::kInvalid, "chunks have 64, 128, 256, 512 or 1024 KiB"};
  if (order.policy.size() > sealed::kPolicyMax)
    return Error{Code::kTooLarge, "the policy has more than 64 KiB"};
  TRY(verify::parse_policy(order.policy, "for the sealed model"));
  return {};
}

// What of the file is in no tensor.
std::vector<uint8_t> graph_of(Bytes onnx, std::span<const sealed::Part> parts) {
  std::vector<uint8_t> graph;
  graph.reserve(parts[0].bytes);
  uint64_t at = 0;
  const auto append = [&](uint64_t end) {
    const Bytes piece = onnx.subspan(at, end - at);
    graph.insert(graph.end(), piece.begin(), piece.end());
  };
  for (const sealed::Part& tensor : parts.subspan(1)) {
    append(tensor.at);
    at = tensor.at + tensor.bytes;
  }
  append(onnx.size());
  return graph;
}

}  // namespace

Sealer::~Sealer() { clear_secret(key_); }

uint64_t Sealer::bytes() const {
  const auto last = static_cast<uint32_t>(package_.parts.size() - 1);
  const uint64_t chunk = package_.chunks_of(last) - 1;
  return package_.place_of(last, chunk) + package_.size_of(last, chunk) + sealed::kTagBytes;
}

Result<Sealer> Sealer::make(Bytes onnx, const Order& order, const SigningKey& maker, Clock& clock,
                            Random& random) {
  TRY(check_order(order));
  Sealer sealer;
  sealer.onnx_ = onnx;
  sealed::Package& package = sealer.package_;
  package.parts = TRY(cut(onnx));
  package.policy = order.policy;
  sealed::Header& header = package.header;
  header.chunk_bytes = order.chunk_bytes;
  random.fill(header.package);
  header.version = order.version;
  header.parts = static_cast<uint32_t>(package.parts.size());
  header.plain_bytes = onnx.size();
  header.sealed_unix = clock.unix_seconds();
  header.policy_bytes = static_cast<uint32_t>(order.policy.size());
  header.name = Text<64>::from(order.name);
  header.maker_bytes = static_cast<uint32_t>(maker.public_der().size());
  std::ranges::copy(maker.public_der(), header.maker.begin());
  sealer.graph_ = graph_of(onnx, package.parts);
  sealer.head_ = manifest_of(header, package.parts, package.policy);
  package.manifest = sha384(sealer.head_);
  const Signature signature = TRY(maker.sign(sealer.head_));
  sealer.head_.insert(sealer.head_.end(), signature.begin(), signature.end());
  package.place();
  random.fill(sealer.key_);
  return sealer;
}

std::vector<uint8_t> Sealer::hidden(uint32_t part, uint64_t chunk) const {
  const Bytes plain = part == 0
                          ? Bytes(graph_)
                          : onnx_.subspan(package_.parts[part].at, package_.parts[part].bytes);
  SecretKey key = package_.key_of(key_, part);
  const sealed::ChunkLabel label = package_.label_of(part, chunk);
  auto sealed = keys::seal_bytes(
      key, sealed::nonce_of(chunk), bytes_of(label),
      plain.subspan(chunk * package_.header.chunk_bytes, package_.size_of(part, chunk)));
  clear_secret(key);
  return sealed;
}

Result<Done> seal_model(const std::string& onnx, const std::string& place, const Order& order,
                        keys::Store& store, Clock& clock, Random& random) {
  const Mapping model = TRY(map_model(onnx));
  const Sealer sealer = TRY(Sealer::make(model.bytes(), order, store.maker(), clock, random));
  auto file = TRY(zoo::OutputFile::make(place, sealer.bytes()));
  Sha384 hash;
  TRY(sealer.write([&](Bytes piece) {
    hash.update(piece);
    return file.append(piece);
  }));
  TRY(file.sync());
  Done done{.bytes = sealer.bytes(), .tensors = sealer.package().parts.size() - 1};
  done.record.package = sealer.package().header.package;
  done.record.name = order.name;
  done.record.version = order.version;
  done.record.measurement = sealed::measurement_of(hash.finish());
  done.record.policy = order.policy;
  TRY(store.add(done.record, sealer.key(), order.keep_older));
  TRY(file.commit());
  TRY(file.sync_place());
  return done;
}

}  // namespace casemate::seal

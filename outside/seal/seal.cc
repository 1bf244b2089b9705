// SPDX-License-Identifier: Apache-2.0
#include "outside/seal/seal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>
#include <filesystem>

#include "base/format.h"
#include "base/mapping.h"
#include "outside/keys/aead.h"
#include "outside/launch/repository.h"
#include "outside/seal/advice.h"
#include "outside/seal/cut.h"
#include "outside/verify/policy.h"
#include "outside/zoo/output_file.h"

namespace casemate::seal {
namespace {

// The same error, of that file.
Error error_of(const std::string& path, const Error& error) {
  return {error.code, formatted("{}: {}", path, error.text)};
}

Result<Mapping> map_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts{};
  if (!fd.valid() || ::fstat(fd.number(), &facts) != 0) return errno_error(path);
  if (!S_ISREG(facts.st_mode) || facts.st_size == 0)
    return Error{Code::kInvalid, formatted("{}: is no file with a model in it", path)};
  return Mapping::shared(fd.number(), static_cast<size_t>(facts.st_size), false);
}

Status check_order(const Order& order) {
  if (!launch::servable_name(order.name)) {
    return Error{Code::kInvalid,
                 formatted("'{}': a model is served under a name of 1 to 63 letters, digits, '-', "
                           "'_' and '.' that does not begin with '.' and is not 'gateway'; name it "
                           "with --model",
                           order.name)};
  }
  if (order.version == 0)
    return Error{Code::kInvalid, "versions of sealed models begin with 1: --version N"};
  if (order.chunk_bytes < sealed::kChunkMin || order.chunk_bytes > sealed::kChunkMax ||
      !std::has_single_bit(order.chunk_bytes))
    return Error{Code::kInvalid, "chunks have 64, 128, 256, 512 or 1024 KiB: --chunk-kib"};
  if (order.policy.size() > sealed::kPolicyMax) {
    return Error{Code::kTooLarge,
                 formatted("{}: a policy has at most 64 KiB, and this has {} bytes",
                           order.policy_file, order.policy.size())};
  }
  const auto policy = TRY(verify::parse_policy(order.policy, order.policy_file));
  return check_policy(policy, order.name, order.policy_file);
}

bool same_place(const std::string& a, const std::string& b) {
  std::error_code error;
  if (std::filesystem::equivalent(a, b, error)) return true;
  const auto first = std::filesystem::weakly_canonical(a, error);
  return !error && first == std::filesystem::weakly_canonical(b, error) && !error;
}

// Only a package is ever replaced: what else is there may be the last of its kind.
Status check_place(const std::string& onnx, const std::string& place, const std::string& store) {
  const auto refused = [&](std::string_view what) {
    return Error{Code::kInvalid, formatted("-o {}: {}; name another file", place, what)};
  };
  if (same_place(place, onnx)) return refused("is the model itself, which it would replace");
  for (const std::string_view suffix : {"", ".key", "-journal"}) {
    if (same_place(place, formatted("{}{}", store, suffix)))
      return refused("belongs to the key store");
  }
  const Fd fd(::open(place.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat facts{};
  // What is no regular file OutputFile refuses, with its own words.
  if (!fd.valid()) return errno == EACCES ? Status(errno_error(place)) : Status();
  if (::fstat(fd.number(), &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size == 0) return {};
  uint64_t magic = 0;
  const ssize_t got = ::read(fd.number(), &magic, sizeof magic);
  if (got == sizeof magic && magic == sealed::Header::kMagic) return {};
  return refused("is there and is no sealed model, and would be replaced");
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

Sealer::~Sealer() {
  clear_secret(key_);
  clear_secret(graph_);
}

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

Status check(const std::string& onnx, const std::string& place, const Order& order,
             const std::string& store) {
  TRY(check_order(order));
  const Mapping model = TRY(map_file(onnx));
  if (const auto parts = cut(model.bytes()); !parts) return error_of(onnx, parts.error());
  return check_place(onnx, place, store);
}

Result<Done> seal_model(const std::string& onnx, const std::string& place, const Order& order,
                        keys::Store& store, Clock& clock, Random& random) {
  TRY(check(onnx, place, order, store.path()));
  TRY(store.check_floor(order.name, order.version));
  const Mapping model = TRY(map_file(onnx));
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
  // What is in place now is still opened.
  TRY(store.add(done.record, sealer.key(), true));
  TRY(file.commit());
  const Status kept = file.sync_place();
  if (order.keep_older && kept) return done;
  const Status closed =
      kept && !order.keep_older ? store.raise_floor(order.name, order.version) : kept;
  if (!closed) {
    return Error{closed.error().code,
                 formatted("{} is sealed and in its place, and earlier versions are still opened: "
                           "{}; casemate keys floor {} --version {} closes them",
                           place, closed.error().text, order.name, order.version)};
  }
  return done;
}

Result<sealed::Package> read_package(const std::string& path) {
  const Mapping file = TRY(map_file(path));
  auto package = sealed::Package::read(file.bytes(), file.size());
  if (!package) return error_of(path, package.error());
  return std::move(*package);
}

}  // namespace casemate::seal

// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tensors in a file, the same for every engine; see tests/perf/bench/tensors.py. Nothing of ours is
// included here, since peers link none of it.

#include <cstdint>
#include <fstream>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace casemate::perf {

// Types are numbered as ONNX numbers them.
inline constexpr int kFloat = 1;
inline constexpr int kInt64 = 7;

struct FileTensor {
  int type = 0;
  std::vector<int64_t> dims;
  std::string name;
  std::vector<char> data;
};

// None when the file is no such file, or ends too early.
inline std::optional<std::vector<FileTensor>> read_tensors(const std::string& path) {
  constexpr size_t kDims = 8;
  constexpr int64_t kBytesMax = 1 << 30;
  std::ifstream file(path, std::ios::binary);
  std::vector<FileTensor> tensors;
  for (FileTensor tensor; file >> tensor.type; tensors.push_back(std::move(tensor))) {
    size_t rank = 0;
    if (!(file >> rank) || rank > kDims) return std::nullopt;
    int64_t bytes = tensor.type == kFloat ? 4 : tensor.type == kInt64 ? 8 : kBytesMax + 1;
    tensor.dims.assign(rank, -1);
    for (int64_t& extent : tensor.dims) {
      if (!(file >> extent) || extent < 0 || extent > kBytesMax || bytes > kBytesMax)
        return std::nullopt;
      bytes *= extent;
    }
    file.ignore(1);
    if (!std::getline(file, tensor.name) || bytes > kBytesMax) return std::nullopt;
    tensor.data.resize(static_cast<size_t>(bytes));
    if (!file.read(tensor.data.data(), bytes)) return std::nullopt;
  }
  if (!file.eof() || tensors.empty()) return std::nullopt;
  return tensors;
}

inline void write_tensor(std::ostream& out, const std::string& name, int type,
                         const std::vector<int64_t>& dims, const char* data, size_t bytes) {
  out << type << ' ' << dims.size();
  for (const int64_t extent : dims) out << ' ' << extent;
  out << ' ' << name << '\n';
  out.write(data, static_cast<std::streamsize>(bytes));
}

inline const FileTensor* tensor_named(const std::vector<FileTensor>& tensors,
                                      const std::string& name) {
  for (const FileTensor& tensor : tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

}  // namespace casemate::perf

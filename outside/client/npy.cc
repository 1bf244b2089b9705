// SPDX-License-Identifier: Apache-2.0
#include "outside/client/npy.h"

#include <algorithm>
#include <cstring>

#include "base/format.h"
#include "outside/client/npy_header.h"

namespace casemate::client {
namespace {

constexpr ByteArray<6> kMagic = {0x93, 'N', 'U', 'M', 'P', 'Y'};
// NumPy itself refuses longer headers by default (max_header_size).
constexpr size_t kHeaderMax = 10'000;
constexpr size_t kPreambleV1 = 10;
constexpr size_t kPreambleV2 = 12;
constexpr size_t kAlignment = 64;

Error cut(std::string_view where) {
  return {Code::kInvalid, formatted("the .npy file ends in {}", where)};
}

// Splits the file into header and elements.
Result<std::pair<std::string_view, Bytes>> split(Bytes file) {
  if (file.size() < kMagic.size() || !std::ranges::equal(file.first(kMagic.size()), kMagic))
    return Error{Code::kInvalid, "this is no .npy file"};
  if (file.size() < kPreambleV1) return cut("its first 10 bytes");
  const uint8_t major = file[6];
  if (major < 1 || major > 3 || file[7] != 0) {
    return Error{
        Code::kUnsupported,
        formatted("the .npy file has version {}.{}; 1.0 to 3.0 are known", major, file[7])};
  }
  const size_t preamble = major == 1 ? kPreambleV1 : kPreambleV2;
  if (file.size() < preamble) return cut("the length of its header");
  const size_t length =
      major == 1 ? load<uint16_t>(file.subspan(8)) : load<uint32_t>(file.subspan(8));
  if (length > kHeaderMax) {
    return Error{Code::kTooLarge, formatted("the .npy header has {} bytes, over the limit of {}",
                                            length, kHeaderMax)};
  }
  if (length > file.size() - preamble) return cut("its header");
  return std::pair(text_of(file.subspan(preamble, length)), file.subspan(preamble + length));
}

// The same elements with the last extent varying fastest. Column-major order is row-major order of
// the reversed shape, so an element's place is found by walking the reversed extents.
std::vector<uint8_t> row_major(Bytes data, const Shape& shape, size_t element) {
  std::vector<uint8_t> result(data.size());
  const auto dims = shape.dims();
  std::array<size_t, limits::kRank> stride{};  // in elements, of the result
  size_t step = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    stride[axis] = step;
    step *= static_cast<size_t>(dims[axis]);
  }
  std::array<int64_t, limits::kRank> index{};
  size_t to = 0;
  for (size_t from = 0; from < data.size(); from += element) {
    std::memcpy(result.data() + to * element, data.data() + from, element);
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      to += stride[axis];
      if (++index[axis] < dims[axis]) break;
      to -= stride[axis] * static_cast<size_t>(dims[axis]);
      index[axis] = 0;
    }
  }
  return result;
}

}  // namespace

Result<Tensor> read_npy(Bytes file) {
  const auto [header_text, data] = TRY(split(file));
  const NpyHeader header = TRY(parse_npy_header(header_text));
  const uint64_t size = TRY(header.shape.byte_size(header.type));
  if (data.size() != size) {
    return Error{Code::kInvalid,
                 formatted("the .npy file should hold {} bytes of elements for shape {} and "
                           "holds {}",
                           size, header.shape.text(), data.size())};
  }
  Tensor tensor{.name = "", .type = header.type, .shape = header.shape, .data = {}};
  if (header.fortran_order) {
    tensor.data = row_major(data, header.shape, size_of(header.type));
  } else {
    tensor.data.assign(data.begin(), data.end());
  }
  TRY(check_tensor("", tensor.type, tensor.shape, tensor.data));
  return tensor;
}

Result<std::vector<uint8_t>> write_npy(const TensorView& tensor) {
  std::string header = TRY(npy_header_text(tensor.type, tensor.shape));
  // Elements start at a multiple of 64; a newline ends the padding.
  const size_t whole = kPreambleV1 + header.size() + 1;
  header.append((kAlignment - whole % kAlignment) % kAlignment, ' ');
  header += '\n';
  std::vector<uint8_t> file(kMagic.begin(), kMagic.end());
  const auto length = static_cast<uint16_t>(header.size());
  file.insert(file.end(),
              {1, 0, static_cast<uint8_t>(length & 0xFF), static_cast<uint8_t>(length >> 8)});
  file.insert(file.end(), header.begin(), header.end());
  file.insert(file.end(), tensor.data.begin(), tensor.data.end());
  return file;
}

}  // namespace casemate::client

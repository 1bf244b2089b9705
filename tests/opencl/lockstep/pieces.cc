// SPDX-License-Identifier: Apache-2.0
#include "tests/opencl/lockstep/pieces.h"

namespace casemate::opencl::lockstep {
namespace {

template <class T>
Region in(Bytes args, Region T::* region) {
  return args.size() == sizeof(T) ? load<T>(args).*region : Region{};
}

}  // namespace

Pieces pieces_of(uint32_t call, Bytes args) {
  switch (static_cast<Call>(call & ~kPosted)) {
    case Call::kQuery:
      return {{}, in(args, &QueryCall::out)};
    case Call::kCreateProgram:
      return {in(args, &CreateProgram::text), {}};
    case Call::kBuildProgram:
      return {in(args, &BuildProgram::options), {}};
    case Call::kSetArgument:
      return {in(args, &SetArgument::data), {}};
    case Call::kUpload:
      return {in(args, &Upload::data), {}};
    case Call::kWriteBuffer:
      return {in(args, &WriteBuffer::data), {}};
    case Call::kReadBuffer:
      return {{}, in(args, &ReadBuffer::data)};
    case Call::kWriteRectangle:
      return {in(args, &WriteRectangle::data), {}};
    case Call::kReadRectangle:
      return {{}, in(args, &ReadRectangle::data)};
    case Call::kWriteImage:
      return {in(args, &WriteImage::data), {}};
    case Call::kReadImage:
      return {{}, in(args, &ReadImage::data)};
    default:
      return {};
  }
}

}  // namespace casemate::opencl::lockstep

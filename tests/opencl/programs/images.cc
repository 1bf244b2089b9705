// SPDX-License-Identifier: Apache-2.0
// Images of one, two and three dimensions and arrays of them: written, read, filled, copied,
// mapped, sampled.
#include "host.h"

static const char* kSource = R"(
  __constant sampler_t kNearest = CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_CLAMP_TO_EDGE |
                                  CLK_FILTER_NEAREST;
  __kernel void blur(__read_only image2d_t in, __write_only image2d_t out) {
    const int2 at = (int2)(get_global_id(0), get_global_id(1));
    float4 sum = (float4)(0);
    for (int dy = -1; dy <= 1; ++dy)
      for (int dx = -1; dx <= 1; ++dx) sum += read_imagef(in, kNearest, at + (int2)(dx, dy));
    write_imagef(out, at, sum * 0.125f);
  }
  __kernel void sample(__read_only image2d_t in, sampler_t sampler, __global float4* out) {
    const size_t i = get_global_id(0);
    out[i] = read_imagef(in, sampler, (float2)(i * 0.0137f, i * 0.0071f));
  }
  __kernel void line(__read_only image1d_t in, __global uint4* out) {
    const int i = (int)get_global_id(0);
    out[i] = read_imageui(in, kNearest, i);
  })";

static std::vector<float> random_floats(size_t count, uint64_t seed) {
  Numbers numbers(seed);
  std::vector<float> values(count);
  for (float& value : values) value = numbers.unit();
  return values;
}

static const cl_image_format kFloats{CL_RGBA, CL_FLOAT}, kBytes{CL_RGBA, CL_UNSIGNED_INT8};

static cl_mem image(const Host& host, cl_mem_object_type type, const cl_image_format& format,
                    size_t width, size_t height, size_t depth, size_t layers,
                    cl_mem_flags flags = CL_MEM_READ_WRITE, void* data = nullptr) {
  cl_image_desc shape{};
  shape.image_type = type;
  shape.image_width = width;
  shape.image_height = height;
  shape.image_depth = depth;
  shape.image_array_size = layers;
  MADE(cl_mem, made, clCreateImage(host.context, flags, &format, &shape, data, &made_status));
  return made;
}

static std::vector<uint8_t> read(const Host& host, cl_mem image, std::vector<size_t> region,
                                 size_t pixel) {
  const size_t origin[3] = {0, 0, 0};
  std::vector<uint8_t> bytes(region[0] * region[1] * region[2] * pixel);
  OK(clEnqueueReadImage(host.queue, image, CL_TRUE, origin, region.data(), 0, 0, bytes.data(), 0,
                        nullptr, nullptr));
  return bytes;
}

static void planes(const Host& host, cl_program program) {
  auto pixels = random_floats(200 * 100 * 4, 1);
  cl_mem in = image(host, CL_MEM_OBJECT_IMAGE2D, kFloats, 200, 100, 0, 0,
                    CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, pixels.data());
  cl_mem out = image(host, CL_MEM_OBJECT_IMAGE2D, kFloats, 200, 100, 0, 0);
  cl_kernel blur = Host::kernel(program, "blur");
  arguments(blur, in, out);
  host.run(blur, {200, 100});
  print("blurred", read(host, out, {200, 100, 1}, 16));

  // A piece with a pitch of its own.
  const size_t at[3] = {10, 20, 0}, extent[3] = {50, 30, 1};
  std::vector<float> piece(64 * 4 * 30, -1);
  OK(clEnqueueReadImage(host.queue, out, CL_TRUE, at, extent, 64 * 16, 0, piece.data(), 0, nullptr,
                        nullptr));
  print("piece", piece);
  OK(clEnqueueWriteImage(host.queue, in, CL_FALSE, at, extent, 64 * 16, 0, piece.data(), 0, nullptr,
                         nullptr));
  const float color[4] = {0.25f, 0.5f, 0.75f, 1.0f};
  const size_t corner[3] = {0, 0, 0}, small[3] = {5, 6, 1}, elsewhere[3] = {100, 50, 0};
  OK(clEnqueueFillImage(host.queue, in, color, corner, small, 0, nullptr, nullptr));
  OK(clEnqueueCopyImage(host.queue, in, in, at, elsewhere, small, 0, nullptr, nullptr));
  print("pieced, filled and copied", read(host, in, {200, 100, 1}, 16));

  cl_mem buffer = host.buffer(50 * 30 * 16);
  OK(clEnqueueCopyImageToBuffer(host.queue, in, buffer, at, extent, 0, 0, nullptr, nullptr));
  print("as a buffer", host.read<float>(buffer, 50 * 30 * 4));
  OK(clEnqueueCopyBufferToImage(host.queue, buffer, out, 0, elsewhere, extent, 0, nullptr,
                                nullptr));
  size_t pitch = 0;
  MADE(void*, mapped,
       clEnqueueMapImage(host.queue, out, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, at, extent, &pitch,
                         nullptr, 0, nullptr, nullptr, &made_status));
  for (size_t y = 0; y < 30; ++y)
    reinterpret_cast<float*>(static_cast<uint8_t*>(mapped) + y * pitch)[0] += 1;
  OK(clEnqueueUnmapMemObject(host.queue, out, mapped, 0, nullptr, nullptr));
  print("mapped", read(host, out, {200, 100, 1}, 16));

  MADE(cl_sampler, sampler,
       clCreateSampler(host.context, CL_TRUE, CL_ADDRESS_REPEAT, CL_FILTER_NEAREST, &made_status));
  cl_mem samples = host.buffer(100 * 16);
  cl_kernel sample = Host::kernel(program, "sample");
  arguments(sample, out, sampler, samples);
  host.run(sample, {100});
  print("sampled", host.read<float>(samples, 400));
  for (cl_mem memory : {in, out, buffer, samples}) OK(clReleaseMemObject(memory));
  OK(clReleaseSampler(sampler));
  OK(clReleaseKernel(blur));
  OK(clReleaseKernel(sample));
}

static void others(const Host& host, cl_program program) {
  std::vector<uint8_t> bytes(256 * 4);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  cl_mem line = image(host, CL_MEM_OBJECT_IMAGE1D, kBytes, 256, 0, 0, 0,
                      CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, bytes.data());
  cl_mem out = host.buffer(256 * 16);
  cl_kernel kernel = Host::kernel(program, "line");
  arguments(kernel, line, out);
  host.run(kernel, {256});
  print("line", host.read<uint32_t>(out, 1024));

  auto cells = random_floats(20 * 10 * 5 * 4, 2);
  const size_t origin[3] = {0, 0, 0}, whole[3] = {20, 10, 5}, part[3] = {7, 3, 2},
               at[3] = {3, 4, 1};
  std::vector<float> piece(7 * 3 * 2 * 4);
  for (const bool solid : {true, false}) {
    cl_mem block = solid ? image(host, CL_MEM_OBJECT_IMAGE3D, kFloats, 20, 10, 5, 0)
                         : image(host, CL_MEM_OBJECT_IMAGE2D_ARRAY, kFloats, 20, 10, 0, 5);
    OK(clEnqueueWriteImage(host.queue, block, CL_TRUE, origin, whole, 0, 0, cells.data(), 0,
                           nullptr, nullptr));
    OK(clEnqueueReadImage(host.queue, block, CL_TRUE, at, part, 0, 0, piece.data(), 0, nullptr,
                          nullptr));
    print(solid ? "block" : "layers", piece);
    OK(clReleaseMemObject(block));
  }
  OK(clReleaseMemObject(line));
  OK(clReleaseMemObject(out));
  OK(clReleaseKernel(kernel));
}

int main() {
  const Host host;
  cl_uint count = 0;
  OK(clGetSupportedImageFormats(host.context, CL_MEM_READ_WRITE, CL_MEM_OBJECT_IMAGE2D, 0, nullptr,
                                &count));
  std::printf("formats: %s\n", count > 4 ? "some" : "few");
  cl_program program = host.program(kSource);
  planes(host, program);
  others(host, program);
  OK(clReleaseProgram(program));
}

// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/builder.h"

#include <fstream>

#include "outside/launch/programs.h"

namespace casemate::launch {

Status Builder::place(ImageDescription& image, const Placed& file) {
  if (file.source.size() >= limits::kPath || file.target.size() >= limits::kPath) {
    return Error{Code::kTooLarge,
                 formatted("{}: the path is longer than {} characters; move the file up",
                           file.source, limits::kPath - 1)};
  }
  image.source = Text<limits::kPath>::from(file.source);
  image.target = Text<limits::kPath>::from(file.target);
  return {};
}

Result<uint32_t> Builder::add_program(const std::string& name, const std::vector<Placed>& files) {
  ProgramDescription& program = TRY(next(d_->programs, d_->program_count, "programs"));
  program.name = Text<limits::kName>::from(name);
  program.first_image = d_->image_count;
  for (const Placed& file : files) {
    ImageDescription& image = TRY(next(d_->images, d_->image_count, "program files"));
    TRY(place(image, file));
    ++program.image_count;
  }
  return d_->program_count - 1;
}

Result<uint32_t> Builder::add_own_program(const std::string& name, const std::string& folder) {
  return add_program(name,
                     TRY(placed_program(folder + "/casemate-" + name, "/bin/casemate-" + name)));
}

Result<std::vector<Placed>> placed_program(const std::string& program, const std::string& target) {
  std::vector<Placed> files;
  for (const std::string& source : TRY(images_of(program)))
    files.push_back({source, source == program ? target : source});
  return files;
}

Result<Sha384Digest> measurement_of(std::span<const Placed> files) {
  Sha384 program;
  std::vector<char> chunk(1 << 20);
  for (const Placed& file : files) {
    std::ifstream stream(file.source, std::ios::binary);
    Sha384 content;
    while (stream.read(chunk.data(), static_cast<std::streamsize>(chunk.size())),
           stream.gcount() > 0)
      content.update(
          bytes_of(std::string_view(chunk.data(), static_cast<size_t>(stream.gcount()))));
    if (!stream.eof())
      return Error{Code::kNotFound, formatted("{}: cannot be read to measure it", file.source)};
    program.field(bytes_of(std::string_view(file.target))).field(content.finish());
  }
  return program.finish();
}

}  // namespace casemate::launch

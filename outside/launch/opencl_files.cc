// SPDX-License-Identifier: Apache-2.0
#include "outside/launch/opencl_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "outside/launch/programs.h"

namespace casemate::launch {
namespace {

namespace fs = std::filesystem;

// Where the dynamic loader looks without a cache. /lib is a link to /usr/lib, and PoCL looks for
// its files from where its library lies.
constexpr const char* kLibraryFolders[] = {"/usr/lib/x86_64-linux-gnu",
                                           "/lib/x86_64-linux-gnu",
                                           "/usr/lib64",
                                           "/lib64",
                                           "/usr/lib",
                                           "/lib"};
// PoCL's linker asks for these by their development names, which it needs no development files for:
// what a kernel calls is found in the process that opens it.
constexpr std::pair<const char*, const char*> kLinked[] = {{"libc.so.6", "libc.so"},
                                                           {"libm.so.6", "libm.so"},
                                                           {"libmvec.so.1", "libmvec.so.1"},
                                                           {"libgcc_s.so.1", "libgcc_s.so"},
                                                           {"libgcc_s.so.1", "libgcc.so"}};
constexpr const char* kPoclFolder = "/usr/share/pocl";
constexpr const char* kLinker = "/usr/bin/ld";

Result<std::string> find_library(const std::string& name) {
  if (name.starts_with('/') && fs::is_regular_file(name)) return name;
  for (const char* folder : kLibraryFolders) {
    const std::string path = formatted("{}/{}", folder, name);
    if (fs::is_regular_file(path)) return path;
  }
  return Error{Code::kNotFound, formatted("{}: an OpenCL driver needs it and it is not there; "
                                          "install the driver's package again",
                                          name)};
}

// The first word of a driver's file is its library.
std::string library_named_in(const fs::path& file) {
  std::string name;
  std::ifstream(file) >> name;
  return name;
}

void add(std::vector<Placed>& files, const std::string& source, const std::string& target) {
  if (std::ranges::find(files, target, &Placed::target) == files.end())
    files.push_back({source, target});
}

Status add_with_libraries(std::vector<Placed>& files, const std::string& path) {
  for (const std::string& image : TRY(images_of_library(path))) add(files, image, image);
  return {};
}

Status add_pocl(std::vector<Placed>& files, const std::string& library) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kPoclFolder, error)) {
    if (entry.is_regular_file()) add(files, entry.path(), entry.path());
  }
  // Its devices lie in a folder beside it.
  const fs::path devices = fs::canonical(library).parent_path() / "pocl";
  for (const fs::directory_entry& entry : fs::directory_iterator(devices, error)) {
    const std::string place = (fs::path(library).parent_path() / "pocl" / entry.path().filename());
    add(files, entry.path(), place);
  }
  TRY(add_with_libraries(files, kLinker));
  for (const auto& [name, target] : kLinked) {
    const std::string path = TRY(find_library(name));
    add(files, path, (fs::path("/lib/x86_64-linux-gnu") / target).string());
  }
  return {};
}

}  // namespace

Result<std::vector<Placed>> opencl_device_files(const std::string& folder) {
  std::vector<Placed> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".icd") continue;
    const std::string name = library_named_in(entry.path());
    const std::string library = TRY(find_library(name));
    add(files, entry.path(), entry.path());
    TRY(add_with_libraries(files, library));
    if (fs::path(name).filename().string().starts_with("libpocl")) TRY(add_pocl(files, library));
  }
  if (!files.empty()) return files;
  return Error{Code::kNotFound, formatted("{} names no OpenCL driver: install one, as PoCL "
                                          "(pocl-opencl-icd) for this machine's processor",
                                          folder)};
}

Result<std::vector<Placed>> placed_opencl_program(const std::string& program,
                                                  const std::string& target) {
  std::vector<Placed> files = TRY(placed_program(program, target));
  for (const Placed& file : TRY(opencl_device_files(kOpenclVendors)))
    add(files, file.source, file.target);
  return files;
}

}  // namespace casemate::launch

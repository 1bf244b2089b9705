// SPDX-License-Identifier: Apache-2.0
#include "trusted/jail/image_store.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/format.h"

namespace casemate::jail {
namespace {

// A model with its external data; more belongs on several machines.
constexpr uint64_t kFileBytesMax = 16ull << 30;
constexpr size_t kChunk = 1 << 20;

Error about(const std::string& path, std::string_view what) {
  Error error = errno_error(what);
  if (errno == ENOENT) error.code = Code::kNotFound;
  error.text = formatted("{}: {}", path, error.text);
  return error;
}

// Makes every folder above `target` below the folder behind `root`.
Status make_folders(int root, std::string_view target) {
  for (size_t slash = target.find('/', 1); slash != std::string_view::npos;
       slash = target.find('/', slash + 1)) {
    const std::string folder(target.substr(1, slash - 1));
    if (::mkdirat(root, folder.c_str(), 0755) != 0 && errno != EEXIST)
      return about(folder, "making a folder of a root");
  }
  return {};
}

}  // namespace

Result<ImageStore> ImageStore::make(const allow::Spawn&, std::string folder) {
  if (::mount("casemate-images", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0) {
    return about(folder, "mounting the image store");
  }
  ImageStore store(std::move(folder));
  for (const char* part : {"/images", "/roots"}) {
    if (::mkdir((store.folder_ + part).c_str(), 0755) != 0)
      return about(store.folder_, "making the image store");
  }
  return store;
}

Result<ImageStore::Image> ImageStore::add(const std::string& source) {
  const auto known = images_.find(source);
  if (known != images_.end()) return known->second;
  const Image image = TRY(copy(source, static_cast<uint32_t>(images_.size())));
  images_.emplace(source, image);
  return image;
}

Result<ImageStore::Image> ImageStore::copy(const std::string& source, uint32_t number) {
  const Fd from(::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!from.valid()) return about(source, "opening a file to measure");
  struct stat facts{};
  if (::fstat(from.number(), &facts) != 0) return about(source, "looking at a file to measure");
  if (!S_ISREG(facts.st_mode))
    return Error{Code::kInvalid, formatted("{}: is no regular file", source)};
  if (static_cast<uint64_t>(facts.st_size) > kFileBytesMax) {
    return Error{Code::kTooLarge,
                 formatted("{}: is larger than {} GiB", source, kFileBytesMax >> 30)};
  }
  const std::string path = formatted("{}/images/{}", folder_, number);
  const Fd to(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0555));
  if (!to.valid()) return about(path, "making a copy to measure");
  Sha384 hash;
  std::vector<uint8_t> chunk(kChunk);
  uint64_t size = 0;
  while (true) {
    const ssize_t got = ::read(from.number(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return about(source, "reading a file to measure");
    if (got == 0) break;
    size += static_cast<uint64_t>(got);
    const auto part = std::span(chunk).first(static_cast<size_t>(got));
    hash.update(part);
    if (size > kFileBytesMax || ::write(to.number(), part.data(), part.size()) != got) {
      return about(source, "copying a file to measure");
    }
  }
  return Image{number, hash.finish(), size, path};
}

Result<std::string> ImageStore::make_root(const std::string& name, std::span<const Link> links,
                                          bool scratch) {
  const std::string path = formatted("{}/roots/{}", folder_, name);
  if (::mkdir(path.c_str(), 0755) != 0) return about(path, "making a root");
  const Fd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return about(path, "opening a root");
  if (scratch) TRY(make_folders(root.number(), "/tmp/"));
  for (const Link& link : links) {
    TRY(make_folders(root.number(), link.target));
    const std::string image = formatted("{}/images/{}", folder_, link.image);
    if (::linkat(AT_FDCWD, image.c_str(), root.number(), link.target.c_str() + 1, 0) != 0 &&
        errno != EEXIST) {
      return about(link.target, "placing a file in a root");
    }
  }
  return path;
}

Status ImageStore::freeze() {
  if (::mount(nullptr, folder_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV,
              nullptr) != 0) {
    return about(folder_, "making the image store read-only");
  }
  return {};
}

}  // namespace casemate::jail

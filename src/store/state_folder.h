#pragma once

// The folder in which a service keeps what must survive it: whose it is, who may write in it, and
// how a file gets there whole or not at all.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/sqlite.h"

namespace tenbin {

/// Makes the folder (0700, with its parent synced) if it is missing and may be written. Refuses a
/// symbolic link, a folder of another user and one that everybody may write to, because whoever can
/// put files there decides what we believe.
Result<void> prepare_state_folder(const std::string& folder, Access access);

/// An empty file with rights 0600 if there is none; refuses a symbolic link and anything else that
/// is not a plain file, and takes away the rights of others.
///
/// An existing file is never opened here: closing a second descriptor would drop the locks that
/// SQLite holds on it in this process.
Result<void> make_private_file(const std::string& path);

/// Refuses what is at `path` if it is there and not a plain file.
Result<void> refuse_link(const std::string& path);

Result<void> sync_folder(const std::string& folder);
Result<void> sync_file(const std::string& path);

/// What a service looks at before it believes a state folder: whatever lies there under a name of
/// ours must belong to this user and be no symbolic link, because whoever can redirect one of our
/// files decides what we believe or overwrite. Rights that let others read are taken away, and the
/// paths from which they were are returned, so that it can be said.
/// Errors: a link, a file of another user, one that others may write. Cost: a few look-ups.
Result<std::vector<std::string>> secure_state_folder(const std::string& folder);

/// Writes `parts` one after the other so that after a crash the file is the old one or the new one.
Result<void> write_file_durably(const std::string& folder, const std::string& name,
                                std::initializer_list<std::string_view> parts);

Result<std::string> read_file(const std::string& path);

/// The right to write in the folder: an exclusive lock on `<folder>/lock`, which holds the process
/// id in decimal. It goes with this object, and with the process however it ends.
class FolderLock {
 public:
  /// Never waits. Errors: says which process holds it.
  static Result<FolderLock> take(const std::string& folder);

  FolderLock() = default;
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();

 private:
  int file_ = -1;
};

}  // namespace tenbin

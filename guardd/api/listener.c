/* SPDX-License-Identifier: Apache-2.0 */
/* Binding by way of the folder's descriptor, since a socket's path may have only 107 bytes. */
#include "listener.h"

#include "common/state.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024 }; /* agents that lost their parent come back together */

static enum guard_rc failure(struct guard_err *err, const char *name, const char *what)
{
    return guard_fail(err, GUARD_E_IO, "%s: %s: %s", name, what, strerror(errno));
}

static enum guard_rc remove_old(int folder, const char *name, struct guard_err *err)
{
    struct stat info;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? GUARD_OK : failure(err, name, "can't be examined");
    if (!S_ISSOCK(info.st_mode))
        return guard_fail(err, GUARD_E_IO, "%s: is no socket", name);
    return unlinkat(folder, name, 0) == 0 ? GUARD_OK : failure(err, name, "can't be replaced");
}

static enum guard_rc bind_in(int fd, int folder, const char *name, struct guard_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder, name);
    mode_t before = umask(0177);
    int rc = bind(fd, (const struct sockaddr *)&address, sizeof(address));
    umask(before);
    return rc == 0 ? GUARD_OK : failure(err, name, "can't be made");
}

static enum guard_rc share(int folder, const char *name, const char *group, struct guard_err *err)
{
    if (group == NULL)
        return GUARD_OK;
    errno = 0;
    const struct group *entry = getgrnam(group);
    if (entry == NULL)
        return guard_fail(err, GUARD_E_RANGE, "there is no group \"%s\"", group);
    if (fchownat(folder, name, (uid_t)-1, entry->gr_gid, AT_SYMLINK_NOFOLLOW) != 0 ||
        fchmodat(folder, name, 0660, 0) != 0)
        return failure(err, name, "can't be given to the group");
    return GUARD_OK;
}

static enum guard_rc open_in(int *out, int folder, const char *name, const char *group,
                             struct guard_err *err)
{
    GUARD_TRY(remove_old(folder, name, err));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return failure(err, name, "can't be made");
    enum guard_rc rc = bind_in(fd, folder, name, err);
    if (rc == GUARD_OK)
        rc = share(folder, name, group, err);
    if (rc == GUARD_OK && listen(fd, BACKLOG) != 0)
        rc = failure(err, name, "can't be listened on");
    if (rc == GUARD_OK)
        *out = fd;
    else
        close(fd);
    return rc;
}

enum guard_rc listener_open(int *out, const char *state, const char *name, const char *group,
                            struct guard_err *err)
{
    int folder = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return guard_fail(err, GUARD_E_IO, "%s: %s", state, strerror(errno));
    enum guard_rc rc = open_in(out, folder, name, group, err);
    close(folder);
    return rc;
}

void listener_remove(const char *state, const char *name)
{
    char path[STATE_PATH_MAX];
    const struct guard_span no_service = {NULL, 0};
    if (state_path(path, state, "", no_service, name) == GUARD_OK)
        unlink(path);
}

int64_t listener_peer(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 ? (int64_t)peer.uid : -1;
}

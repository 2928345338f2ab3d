/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned of a service, as the file that guardd saves it in: whoever shows or exports it
 * elsewhere learns the same model from it. */
#include "handlers.h"

#include "common/state.h"
#include "problem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum api_step api_pile(struct api *api, struct api_request *request, struct api_response *response)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    const struct service *service = api_service(api, request, response);
    if (service == NULL)
        return API_DONE;
    int fd = state_path(path, api->view.state, "piles", service->name, ".pile") == GUARD_OK
                 ? open(path, O_RDONLY | O_CLOEXEC)
                 : -1;
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        problem(response, fd < 0 && why != ENOENT ? 500 : 404,
                fd < 0 && why != ENOENT ? "failed" : "nothing-learned", NULL,
                "nothing of the service was saved yet");
        return API_DONE;
    }
    response->file = true;
    response->file_fd = fd;
    response->len = (size_t)info.st_size;
    response->status = 200;
    response->content_type = "application/octet-stream";
    return API_DONE;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/http_service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/http_load.h"

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* A worker that is called with arguments of ours behind the server's. */
static void write_worker(const char *path, const char *worker, const char *fake)
{
    FILE *file = fopen(path, "w");
    if (!file)
        die(path);
    fprintf(file, "#!/bin/sh\nexec '%s' \"$@\" %s\n", worker, fake);
    fclose(file);
    chmod(path, 0755);
}

struct http_service http_service_start(
    const char *program, const char *worker, const char *fake, const char *const *args)
{
    struct http_service service = {.folder = "/tmp/promptfix-bench-XXXXXX"};
    char script[128], data[128], line[256] = "";
    const char *all[HTTP_SERVICE_ARGS_MAX] = {program, "--listen", "127.0.0.1:0", "--worker-path",
        fake ? script : worker, "--data-dir", data, "--log-level", "error"};
    size_t count = 9;
    int ends[2];
    if (!mkdtemp(service.folder) || pipe(ends) != 0)
        die(service.folder);
    snprintf(script, sizeof script, "%s/worker.sh", service.folder);
    snprintf(data, sizeof data, "%s/data", service.folder);
    if (fake)
        write_worker(script, worker, fake);
    for (; *args && count < HTTP_SERVICE_ARGS_MAX - 1; args++)
        all[count++] = *args;
    service.pid = fork();
    if (service.pid == 0) {
        dup2(ends[1], 1);
        execv(program, (char *const *)(uintptr_t)all);
        die(program);
    }
    close(ends[1]);
    FILE *out = fdopen(ends[0], "r");
    if (!out || !fgets(line, sizeof line, out) ||
        sscanf(line, "listening on http://127.0.0.1:%u", &service.port) != 1)
        die("promptfixd doesn't listen");
    return service;
}

void http_service_stop(const struct http_service *service)
{
    char command[128];
    kill(service->pid, SIGKILL);
    waitpid(service->pid, NULL, 0);
    snprintf(command, sizeof command, "rm -rf '%s'", service->folder);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", service->folder);
}

void http_service_put_post(struct buffer *out, const char *headers, const void *image,
    size_t image_size, const char *const *fields)
{
    struct buffer form = BUFFER_INIT;
    buffer_put_text(&form, "--B\r\nContent-Disposition: form-data; name=\"image\"; "
                           "filename=\"photo\"\r\n\r\n");
    buffer_put(&form, image, image_size);
    for (; *fields; fields++) {
        const char *value = strchr(*fields, '=');
        buffer_put_format(&form,
            "\r\n--B\r\nContent-Disposition: form-data; name=\"%.*s\"\r\n\r\n%s",
            (int)(value - *fields), *fields, value + 1);
    }
    buffer_put_text(&form, "\r\n--B--\r\n");
    buffer_put_format(out,
        "POST /v1/jobs HTTP/1.1\r\nHost: x\r\n%sContent-Type: multipart/form-data; boundary=B\r\n"
        "Content-Length: %zu\r\n\r\n",
        headers, form.size);
    buffer_put(out, form.data, form.size);
    buffer_finish(&form);
}

void http_service_submit(
    const struct http_service *service, const struct buffer *post, char ret_id[33])
{
    static char answer[65536];
    int status = http_load_ask(service->port, post->data, post->size, answer, sizeof answer);
    http_service_copy_text(answer, "\"id\":\"", ret_id, 33);
    if (status < 200 || status > 299 || strlen(ret_id) != 32) {
        fprintf(stderr, "a submission was answered %d: %.300s\n", status, answer);
        exit(1);
    }
}

void http_service_copy_text(const char *json, const char *mark, char *ret, size_t capacity)
{
    const char *found = strstr(json, mark);
    const char *text = found ? found + strlen(mark) : "";
    snprintf(ret, capacity, "%.*s", (int)strcspn(text, "\""), text);
}

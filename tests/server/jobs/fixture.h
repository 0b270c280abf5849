/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SERVER_JOBS_FIXTURE_H
#define TESTS_SERVER_JOBS_FIXTURE_H

/* What tests of the job service share: a temporary data directory and a ready submission. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/jobs/jobs_work.h"
#include "tests/test.h"

struct folder {
    char path[64];
};

static inline void folder_create(struct folder *folder)
{
    strcpy(folder->path, "/tmp/promptfix-test-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

/* Removes files, then folders, two levels deep: as much as a data directory has. */
static inline void folder_remove_at(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        char name[512];
        if (strlen(path) + strlen(entry->d_name) + 2 > sizeof name ||
            strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        strcat(strcat(strcpy(name, path), "/"), entry->d_name);
        struct stat info;
        if (lstat(name, &info) == 0 && S_ISDIR(info.st_mode))
            folder_remove_at(name);
        else
            unlink(name);
    }
    closedir(dir);
    rmdir(path);
}

static inline void folder_remove(struct folder *folder)
{
    folder_remove_at(folder->path);
}

static inline size_t folder_count_files(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    DIR *dir = opendir(path);
    size_t count = 0;
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

static inline struct jobs *open_jobs(const struct folder *folder, int in_memory)
{
    struct jobs_options options;
    jobs_options_init(&options);
    options.data_dir = folder->path;
    options.in_memory = in_memory;
    struct jobs *jobs = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(jobs_create(&jobs, &options, &err), &err);
    return jobs;
}

static inline struct jobs_spec make_spec(const char *instruction)
{
    struct jobs_spec spec = {.owner = "",
        .instruction = instruction,
        .model = "fake",
        .image = {.bytes = "an image", .size = 8}};
    params_init(&spec.params);
    spec.params.steps = 4;
    return spec;
}

/* Submits; the id is copied out. */
static inline void submit(struct jobs *jobs, const struct jobs_spec *spec, char ret_id[ID_SIZE])
{
    struct job *job = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(jobs_submit(jobs, spec, &job, NULL, &err), &err);
    memcpy(ret_id, job->id, ID_SIZE);
    job_unref(job);
}

static inline enum job_status status_of(struct jobs *jobs, const char *id)
{
    struct job *job = NULL;
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(jobs_get(jobs, NULL, id, &job, &err), &err);
    enum job_status status = job->status;
    job_unref(job);
    return status;
}

#endif

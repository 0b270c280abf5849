/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PROTOCOL_H
#define BASE_PROTOCOL_H

/* What server and worker say to each other: one frame (base/frame.h) per message, the header a JSON
 * object, "type" its kind. Either side ends the talk on a message it doesn't know.
 *
 * The worker is started as  promptfix-worker --model FILE --device D --dtype T --max-batch N
 * --max-runs N --socket-fd 3  with one end of a SOCK_STREAM socketpair as descriptor 3.
 * End of file on it means the server is gone: the worker drops its runs and exits 0.
 *
 *   worker → server
 *   hello      {protocol, pid, device, version}                      first, before loading
 *   ready      {device, dtype, load_ms, max_runs, model:{…}}         model: see model_put_json()
 *   broken     {code, message}                                       loading failed; then exits 1
 *   started    {job, attempt, load_ms}                               taken up; load_ms: of the worker's model
 *   encoded    {job, attempt, encode_ms, width, height}              image decoded and encoded
 *   step       {job, attempt, step, steps, sigma, guidance_loss|null, elapsed_ms, eta_ms}
 *   preview    {job, attempt, step, format, width, height}  + body   the image file's bytes
 *   succeeded  {job, attempt, format, width, height, timings:{encode_ms, sample_ms, decode_ms}} + body
 *   failed     {job, attempt, code, message, field|null, retryable}
 *   cancelled  {job, attempt}
 *   stats      {rss_bytes, device_bytes, unet_calls, unet_rows}      about once a second while it computes
 *
 *   server → worker
 *   run        {job, attempt, instruction, auxiliary_prompt, parameters:{…params}, image_bytes,
 *               mask_bytes} + body = image file, then mask file
 *   cancel     {job}                                                 answered by cancelled, or by the
 *                                                                    end that came first; unknown: ignored
 *
 * A job's terminal message (succeeded, failed, cancelled) is its last; up to max_runs jobs are in
 * flight at a time. Times are whole milliseconds. */

enum {
    PROTOCOL_VERSION = 1,
    PROTOCOL_SOCKET_FD = 3,
};

#endif

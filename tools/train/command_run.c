/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix-train run: options of a training session. */
#include <stddef.h>

#include "base/cleanup.h"
#include "tools/cli/interrupt.h"
#include "tools/train/commands.h"
#include "tools/train/session.h"

struct run_options {
    struct session_options session;
    int64_t help;
};

#define AT(member) offsetof(struct run_options, session.member)
#define INT(name, member, low, high, preset, heading, text)                                        \
    {                                                                                              \
        name, 0, OPTION_INTEGER, 0, 1, AT(member), low, high, preset, .group = heading,            \
                                                                      .doc = text                  \
    }
#define NUM(name, member, low, high, preset, heading, text)                                        \
    {                                                                                              \
        name, 0, OPTION_NUMBER, 0, 1, AT(member), low, high, preset, .group = heading, .doc = text \
    }
#define PATH(name, member, value, heading, text)                                                   \
    {                                                                                              \
        name, 0, OPTION_TEXT, 0, 1, AT(member), .value_name = value, .group = heading, .doc = text \
    }

static const struct option_spec rows[] = {
    {"stage", 0, OPTION_CHOICE, 0, 1, AT(stage), .default_text = "diffusion",
        .choices = stage_names, .group = "Training",
        .doc = "text: the text encoder, to tell tasks apart. vae: the autoencoder with its skips. "
               "diffusion: the UNet. joint: UNet and autoencoder together, by the picture of one "
               "step."},
    {"model", 'm', OPTION_TEXT, OPTION_REQUIRED, 1, AT(model), .value_name = "FILE",
        .group = "Files",
        .doc = "Checkpoint to begin with, or a state to go on from: a state of the same stage "
               "continues exactly where it stopped."},
    {"data", 'd', OPTION_TEXT, OPTION_REQUIRED, 1, AT(data), .value_name = "DIR", .group = "Files",
        .doc = "Shards of training pairs, as promptfix-curate writes them."},
    {"out", 'o', OPTION_TEXT, OPTION_REQUIRED, 1, AT(out), .value_name = "FILE", .group = "Files",
        .doc = "Where the state is saved, always whole."},
    PATH("merges", merges, "FILE", "Files", "Merges table, when the checkpoint holds none."),
    PATH("valid_data", valid_data, "DIR", "Files", "Shards for validation; none: no validation."),
    PATH("log", log, "FILE", "Files",
        "Log of JSON lines, appended to; without it they go to standard output."),
    PATH("sheets", sheets, "DIR", "Files",
        "Folder for sheets of input, output and target at each validation."),
    INT("steps", steps, 1, 1e9, "10000", "Training", "Steps in all, earlier sessions' included."),
    NUM("minutes", minutes, 0, 1e6, "0", "Training",
        "Ends the session after this time; 0: no limit."),
    INT("rows", rows, 1, BATCH_ROWS_MAX, "16", "Training", "Pairs in a batch."),
    INT("accumulate", accumulate, 1, 4096, "1", "Training", "Batches whose gradients make a step."),
    INT("size", size, 16, 1024, "128", "Training", "Pixels a side; pairs are cropped to it."),
    NUM("shrink", shrink, 0, 1, "0.5", "Training",
        "Share of pairs that are shown whole, shrunk by a whole factor, instead of cropped."),
    INT("seed", seed, 0, 1e15, "1", "Training", "Of batches, times and noise."),
    PATH("only", only, "PREFIX,…", "Training",
        "Of the stage's weights, trains those alone whose names begin with one of these, as "
        "first_stage_model.decoder.; the others stay as they are. A state made with it goes on "
        "with the same."),
    INT("threads", threads, 0, 1024, "0", "Training", "CPU threads; 0 takes libtorch's default."),
    {"device", 0, OPTION_TEXT, 0, 1, AT(device), .default_text = "auto", .value_name = "DEVICE",
        .group = "Training", .doc = "cpu, cuda:0, …; auto takes the first CUDA device."},
    {"bf16", 0, OPTION_SWITCH, 0, 1, AT(bf16), .group = "Training",
        .doc = "Computes in bfloat16; master weights, moments and averages stay float32."},
    {"fresh", 0, OPTION_SWITCH, 0, 1, AT(fresh), .group = "Training",
        .doc = "The weights are random (promptfix-mkmodel): residual branches start at zero."},
    NUM("rate", rate, 0, 1, "2e-4", "Optimizer", "Learning rate after the warm-up."),
    NUM("final_rate", final_rate, 0, 1, "1e-5", "Optimizer", "Learning rate at the last step."),
    INT("warmup", warmup, 1, 1e6, "200", "Optimizer", "Steps of linear warm-up."),
    NUM("weight_decay", weight_decay, 0, 1, "0.01", "Optimizer", "Decoupled weight decay."),
    NUM("beta2", beta2, 0.5, 0.99999, "0.99", "Optimizer", "Decay of the second moment."),
    NUM("clip", clip, 0, 1e6, "1", "Optimizer", "Longest gradient; 0: no clipping."),
    NUM("average_decay", average_decay, 0, 0.999999, "0.999", "Optimizer",
        "Decay of the average of the weights; shorter while the training is young."),
    NUM("drop_instruction", drop_instruction, 0, 1, "0.2", "Objective",
        "Share of pairs whose instruction is left out."),
    NUM("drop_auxiliary", drop_auxiliary, 0, 1, "0.075", "Objective",
        "Share of pairs whose auxiliary prompt is left out."),
    NUM("drop_image", drop_image, 0, 1, "0.075", "Objective",
        "Share of pairs whose image condition is left out."),
    NUM("early_share", early_share, 0, 1, "0", "Objective",
        "diffusion: share of pairs with a time from the noisiest tenth; the rest is even."),
    NUM("relative", relative, 0, 10, "0", "Objective",
        "diffusion, joint: each pair's error is divided by that of its input (diffusion: by the "
        "power of what it should change) plus this: a small mark counts as much as a dark picture; "
        "0: it isn't."),
    NUM("swap", swap, 0, 1, "0", "Objective",
        "Share of pairs with the instruction of another task: nothing is to be changed then."),
    NUM("kl_weight", kl_weight, 0, 1, "1e-4", "Objective",
        "vae: weight of the divergence from a standard normal."),
    NUM("edge_weight", edge_weight, 0, 100, "1", "Objective",
        "vae, joint: weight of the distance of neighbour differences."),
    NUM("change_weight", change_weight, 0, 100, "0", "Objective",
        "joint: weight of the places that are to change, over those that aren't."),
    NUM("knee", knee, 0, 2, "0", "Objective",
        "joint: errors up to this, of the pictures' [-1,1], count by their square; 0: all by their "
        "size."),
    PATH("overshoot", overshoot, "TASK:SHARE,…", "Objective",
        "The target of pairs that ask for one of these tasks alone lies beyond the good picture by "
        "this share of the change, in every stage that sees pictures: a mean of all that could be "
        "is a timid change. Validation is without it."),
    NUM("colour_weight", colour_weight, 0, 100, "0", "Objective",
        "joint: weight of the colour that a grey picture got too little of."),
    NUM("detail_weight", detail_weight, 0, 100, "0", "Objective",
        "joint: weight of the detail that a picture has too little of."),
    NUM("latent_noise", latent_noise, 0, 10, "0.2", "Objective",
        "vae: most noise on the decoder's latent, in deviations."),
    INT("log_every", log_every, 0, 1e6, "50", "Log", "Steps between log lines."),
    INT("save_every", save_every, 0, 1e6, "500", "Log", "Steps between saves; 0: at the end only."),
    INT("valid_every", valid_every, 0, 1e6, "500", "Log", "Steps between validations."),
    INT("valid_rows", valid_rows, 1, BATCH_ROWS_MAX, "48", "Log", "Pairs to validate with."),
    INT("valid_size", valid_size, 16, 1024, "128", "Log", "Their pixels a side."),
    INT("sample_steps", sample_steps, 1, 1000, "6", "Log", "Sampling steps of a validation."),
    COMMAND_HELP_ROW(struct run_options),
};

static int train(struct run_options *options)
{
    struct pf_error err = PF_ERROR_INIT;
    interrupt_install();
    if (image_library_init("promptfix-train", 1, &err) != PF_OK && err.status != PF_UNSUPPORTED)
        return command_fail(command_run.name, PHASE_RUN, &err);
    err = (struct pf_error)PF_ERROR_INIT;
    if (session_run(&options->session, interrupt_wanted, &err) != PF_OK)
        return command_fail(command_run.name, PHASE_RUN, &err);
    return EXIT_CODE_OK;
}

static int run(int argc, char **argv)
{
    struct run_options options = {0};
    int code = EXIT_CODE_OK;
    struct train_command_line line = {&command_run, rows, COUNT_OF(rows), &options, &options.help,
        "  promptfix-train run --stage STAGE --model FILE --data DIR --out FILE [OPTION…]"};
    if (train_command_parse(&line, argc, argv, &code))
        code = train(&options);
    options_finish(rows, COUNT_OF(rows), &options);
    return code;
}

const struct command command_run = {"run", "trains one stage of a model", run};

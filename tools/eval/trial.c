/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/trial.h"

#include "tools/eval/baseline.h"

const struct trial trials[TASK_COUNT] = {
    [TASK_COLORIZE] =
        {
            .title = "Colorization",
            .instruction = "colorize the photo",
            .paraphrases =
                {
                    "could you give this old black-and-white photo its colours back?",
                    "make it a colour picture",
                    "tint this grey image with lifelike colors",
                    "I'd love to see this monochrome shot in full color",
                    "put realistic color into the photograph",
                    "turn the greyscale picture into a colorful one, please",
                },
            .defect = "The photo is black and white.",
            .degrade = degrade_grey,
        },
    [TASK_LOWLIGHT] =
        {
            .title = "Low light",
            .instruction = "brighten the dark photo",
            .paraphrases =
                {
                    "this was shot at night, brighten it up",
                    "it is far too dark to see anything: please lighten the photo",
                    "raise the exposure of this dim picture",
                    "give the gloomy photo more light",
                    "make the underexposed image bright and clear",
                    "lift the shadows so that I can see what is there",
                },
            .defect = "The photo is too dark and noisy.",
            .degrade = degrade_light,
            .baseline = baseline_light,
            .baseline_name = "gamma + CLAHE",
        },
    [TASK_DEHAZE] =
        {
            .title = "Haze",
            .instruction = "remove the haze",
            .paraphrases =
                {
                    "please get rid of the mist in this photo",
                    "clear the fog away",
                    "the air is milky, make the view clear again",
                    "take out the smoggy veil over the scene",
                    "I want to see this without any fog",
                    "defog the picture and bring the contrast back",
                },
            .defect = "The photo is hazy.",
            .degrade = degrade_haze,
            .baseline = baseline_haze,
            .baseline_name = "dark channel",
        },
    [TASK_DESNOW] =
        {
            .title = "Snow",
            .instruction = "remove the snow",
            .paraphrases =
                {
                    "take the falling snow out of the shot",
                    "please clean the snowflakes off this picture",
                    "make it look as if it were not snowing",
                    "erase all the flakes in the air",
                    "get rid of the white snow specks",
                    "I want this view without a single snowflake in it",
                },
            .defect = "Falling snow covers the photo.",
            .degrade = degrade_snow,
            .baseline = baseline_inpaint,
            .baseline_name = "median inpainting, mask known",
            .is_local = 1,
        },
    [TASK_DEBLUR] =
        {
            .title = "Blur",
            .instruction = "sharpen the blurry photo",
            .paraphrases =
                {
                    "this came out blurry, make it crisp",
                    "please fix the focus of this photograph",
                    "bring back the sharp edges and the fine detail",
                    "take the blur away from this shot",
                    "make the soft picture tack sharp",
                    "I moved the camera, can you make this sharp?",
                },
            .defect = "The photo is blurred.",
            .degrade = degrade_blur,
            .baseline = baseline_sharpen,
            .baseline_name = "unsharp mask",
        },
    [TASK_DEWATERMARK] =
        {
            .title = "Watermark",
            .instruction = "remove the watermark",
            .paraphrases =
                {
                    "please erase the lettering stamped over the photo",
                    "take the watermark text off",
                    "clean this stock picture of its mark",
                    "get rid of the logo and the writing on top of the image",
                    "wipe away the overlaid letters",
                    "I need the photo without the copyright stamp",
                },
            .defect = "A watermark lies over the photo.",
            .degrade = degrade_mark,
            .baseline = baseline_inpaint,
            .baseline_name = "median inpainting, mask known",
            .is_local = 1,
        },
    [TASK_REMOVE] =
        {
            .title = "Object removal",
            .instruction = "remove the object",
            .paraphrases =
                {
                    "please take the object that doesn't belong out of the picture",
                    "erase the thing standing there together with its shadow",
                    "make the item in front disappear",
                    "please lose the thing that was pasted in",
                    "the object has to go, fill in the background",
                    "delete the thing from this scene",
                },
            .defect = "An object that does not belong there stands in the photo.",
            .degrade = degrade_object,
            .baseline = baseline_inpaint,
            .baseline_name = "median inpainting, mask known",
            .is_local = 1,
        },
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "tools/curate/phrases.h"

/* One block a task: training phrases, held-out phrases, clauses of both. Held-out ones use other
 * words and other sentences than training, not just another order. */

static const char *const colorize_train[] = {
    "[colorize|colourize|colorise|colour] [this|the] [photo|picture|image|black and white photo]",
    "[add|give|bring] [natural |realistic |]color to [this|the] [photo|picture|black and white "
    "image]",
    "turn this [black and white|grayscale|grey|monochrome] [photo|picture|image] into [a color "
    "one|color]",
    "make [it|the photo|this picture] [colorful|coloured|full color]",
    "[please |]colorize the grayscale image",
    "[restore|recover] the [colors|original colors|missing colors] of [this|the] [old |]photo",
    "[can|could|would] you [add color to|colorize|put color into] this [old |]photo?",
    "the photo is black and white, [please |]add [realistic |]colors",
    "what did this look like in color?", "i [want|would like] [to see |]this picture in color",
    "add color", "colorize", "convert [it|this] [from grayscale |]to [a color photo|RGB color]",
    "this [photo|image] has lost its colors, [bring them back|restore them]",
    "paint the [sky, the plants and the skin|objects] in their [natural|true] colors",
    "this is an old black and white photo of my family, please add realistic colors to [it|the "
    "whole picture] so that it looks as if it had been taken with a modern camera",
    "the [picture|photo] came out in grayscale, could you give every object in it the color it has "
    "in real life",
    NULL};
static const char *const colorize_held[] = {
    "breathe [life|some life] into this monochrome shot with believable hues",
    "render the scene in full [chroma|natural tones] instead of gray",
    "my grandmother's [snapshot|portrait] has no color at all, fix that",
    "tint everything the way it looks in reality",
    "switch from shades of gray to true-to-life [hues|pigments]",
    "i'd love a [vivid|lifelike] version of this gray shot",
    "hand-color this [print|negative scan]",
    "i found this gray [print|snapshot] in a drawer and would love to know how the garments, the "
    "foliage and the faces appeared to those who stood there that day",
    NULL};
static const char *const colorize_clause[] = {"colorize it", "add color", "restore the colors",
    "bring the colors back", "make it a color photo", NULL};
static const char *const colorize_clause_held[] = {
    "fill in believable hues", "swap the gray for true-to-life tones", NULL};

static const char *const lowlight_train[] = {"[brighten|lighten] [this|the] [dark |]["
                                             "photo|picture|image]",
    "[make|turn] [it|the photo|this picture] brighter",
    "[enhance|improve|fix] the [low light|dark|underexposed] [photo|image|picture]",
    "[increase|raise|lift] the [brightness|exposure|light] [of this photo|of the image|in this "
    "picture]",
    "[please |]brighten the [dark|low-light|night] image[| and reduce the noise]",
    "the photo is too dark, [please |][brighten it|make it brighter|lighten it up]",
    "[can|could|would] you [brighten|light up|lighten] this [photo|picture|dark scene]?",
    "[fix|correct] the [underexposure|bad exposure|poor lighting]", "low light enhancement",
    "brighten",
    "[reveal|show|bring out] the details [in the dark|in the shadows|hidden in the darkness]",
    "it was [too dark|nearly night] when i took this, [make it look well lit|brighten it please]",
    "add more light to [the scene|this picture|the dark photo]",
    "i can't see anything in this dark [photo|picture], [make it visible|brighten it]",
    "i took this [photo|picture] late in the evening without a flash, so it is far too dark, "
    "please make it brighter and remove the noise without changing anything else",
    "the image is underexposed and noisy, please raise the brightness until all details can be "
    "seen",
    NULL};
static const char *const lowlight_held[] = {
    "it looks like somebody switched the lamps off, [turn them on|switch them back on]",
    "give me a [daytime|properly exposed] version of this gloomy shot",
    "pull this murky capture up to a [normal|healthy] luminance",
    "rescue the [gloomy|murky] frame that my phone took without flash",
    "illuminate this [gloomy|dim] capture",
    "everything drowns in blackness here, [help|can it be saved]?",
    "boost luminance and clean up the grain",
    "the lamps were off when my phone took this murky shot, so i need you to lift the shadows "
    "until one can recognize what stands in the room",
    NULL};
static const char *const lowlight_clause[] = {"brighten it", "make it brighter",
    "fix the low light", "increase the exposure", "lighten the dark picture", NULL};
static const char *const lowlight_clause_held[] = {
    "boost its luminance", "illuminate the gloomy scene", NULL};

static const char *const dehaze_train[] = {
    "[remove|clear|get rid of|take away] the [haze|fog|mist|smog] [from this photo|in the "
    "picture|from the image|]",
    "dehaze [this|the] [photo|picture|image]", "dehaze",
    "make the [hazy|foggy|misty] [photo|picture|image] clear", "[please |]remove the [fog|haze]",
    "[can|could|would] you [remove|clear] the [haze|fog|mist] [in this photo|here]?",
    "the [photo|picture] is [hazy|foggy], [make it clear|clear it up|remove the haze]",
    "[restore|improve|increase] the [contrast and visibility|visibility|clarity] of this "
    "[hazy|foggy] [scene|image]",
    "i want to see the [scene|landscape|background] without [fog|haze|mist]",
    "[eliminate|reduce|cut through] the [haze|fog] [to reveal the details|so that far objects are "
    "visible|]",
    "clear up the [air|atmosphere|foggy view]", "make it look like a clear day[ without fog|]",
    "there was a lot of [fog|haze] when i took this picture of the landscape, please remove it so "
    "that the colors are strong and the far away things can be seen clearly",
    "the haze makes this photo look pale and flat, please take it away and bring back the contrast",
    NULL};
static const char *const dehaze_held[] = {"lift the [milky|whitish] veil that lies over everything",
    "it was a [murky|soupy] morning, show me what the view is like in [crisp|clean] air",
    "wipe the [smoke|vapor] away", "the mountains vanish in a pale [veil|soup], bring them back",
    "see through the [vapor|smoke|murk] please",
    "this shot is washed out by [moisture|vapor] in the air, fix that",
    "undo the atmospheric scattering",
    "a pale veil lies over the whole view because of the moist air that morning, so kindly bring "
    "the distant ridges and their crisp outlines back into sight",
    NULL};
static const char *const dehaze_clause[] = {
    "remove the haze", "clear the fog", "dehaze it", "get rid of the mist", "remove the fog", NULL};
static const char *const dehaze_clause_held[] = {
    "lift the milky veil", "wipe the vapor away", NULL};

static const char *const desnow_train[] = {
    "[remove|delete|clear|get rid of] the [snow|snowflakes|falling snow|snowfall] [from this "
    "photo|in the picture|from the image|]",
    "desnow [this|the] [photo|picture|image]", "desnow", "[please |]remove the [snow|snowflakes]",
    "[can|could|would] you [remove|erase|take out] the [snow|snowflakes|falling snow] [in this "
    "photo|here]?",
    "it was snowing, [make it look as if it wasn't|take the flakes out of the picture|remove the "
    "flakes]",
    "make the photo [snow-free|free of snow|free of snowflakes]",
    "[take away|erase] the [white flakes|flakes|white spots of snow] [in the air|that cover the "
    "scene|]",
    "the snowflakes [hide|cover] the [scene|view], [remove them|get rid of them]",
    "i want this picture without [the |]snow[fall|flakes]",
    "[stop|end] the snowfall in this [photo|picture]",
    "clean the [picture|image] from snow[ streaks|flakes]",
    "it started to snow just when i took this picture, please remove all the snowflakes in the air "
    "and keep everything behind them as it was",
    "heavy snowfall hides large parts of this photo, please erase the flakes and show what is "
    "behind them as if it had been a dry day",
    NULL};
static const char *const desnow_held[] = {"the [blizzard|flurry] ruined my shot, undo it",
    "pretend no [blizzard|flurries] ever happened",
    "filter out those [frozen|icy] specks between the lens and the scene",
    "wash the winter [weather|storm] out of this capture",
    "those [pale|icy] dots drifting down should vanish",
    "i'd like a dry-weather version of this shot",
    "inpaint everything that the [blizzard|flurry] covers",
    "a sudden flurry scattered icy specks all over my capture, and what i would like instead is "
    "the same spot as it looked a minute before the weather turned",
    NULL};
static const char *const desnow_clause[] = {"remove the snow", "erase the snowflakes",
    "get rid of the falling snow", "desnow it", "clear the snow", NULL};
static const char *const desnow_clause_held[] = {
    "undo the blizzard", "filter out the icy specks", NULL};

static const char *const deblur_train[] = {
    "[deblur|sharpen] [this|the] [photo|picture|image|blurry photo]", "deblur", "sharpen",
    "[remove|fix|reduce|get rid of] the [blur|motion blur|blurriness|camera shake] [from this "
    "photo|in the picture|]",
    "make [it|the photo|this picture|the blurry image] [sharp|sharper|crisp and clear]",
    "[please |]make the blurry image sharp",
    "the photo is [blurry|out of focus|shaky], [sharpen it|make it sharp|fix it]",
    "[can|could|would] you [sharpen|deblur|fix the focus of] this [photo|picture]?",
    "[restore|bring back|recover] the [sharp edges|fine details|details] [of this blurry "
    "photo|lost to blur|]",
    "i moved the camera, [please |][remove the motion blur|make it sharp]",
    "[fix|correct] the [focus|out of focus picture|defocus]",
    "increase the sharpness [of the image|of this photo|]",
    "my camera moved when i took this picture so everything in it is blurred, please make the "
    "edges sharp again and bring back the fine details that got lost",
    "the lens was out of focus, please sharpen the whole photo so that it looks like a good "
    "picture",
    NULL};
static const char *const deblur_held[] = {
    "my hand [shook|trembled] when i pressed the shutter, rescue the shot",
    "bring this [soft|smeared] capture into [crisp definition|perfect definition]",
    "everything looks [smeared|soft], give me [tack-sharp|razor-sharp] contours",
    "the lens missed its [target|subject], repair that", "deconvolve this [smeared|fuzzy] frame",
    "i need to read the [fuzzy|smeared] lettering here", "un-[smear|smudge] this shot please",
    "my hand trembled when i pressed the shutter and every contour is smeared, so please compute "
    "what a steady tripod would have captured in that very moment",
    NULL};
static const char *const deblur_clause[] = {
    "sharpen it", "remove the blur", "deblur it", "make it sharp", "fix the focus", NULL};
static const char *const deblur_clause_held[] = {
    "bring it into crisp definition", "rescue the smeared contours", NULL};

static const char *const dewatermark_train[] = {
    "[remove|delete|erase|get rid of] the [watermark|watermarks|text|logo|text overlay] [from this "
    "photo|in the picture|from the image|]",
    "[please |]remove the watermark", "dewatermark",
    "[can|could|would] you [remove|erase|take out] the [watermark|writing|text] [on this "
    "photo|here]?",
    "take the [watermark|text|writing|stamp] off [this|the] [photo|picture|image]",
    "[clean|clear] the [photo|picture] of [the watermark|text and logos|all marks]",
    "there is a watermark [on the photo|across the picture], [remove it|delete it|take it out]",
    "i want the [photo|picture|image] without [the watermark|the text|any writing]",
    "make the image watermark-free",
    "[fill in|restore] what is [behind|under] the [watermark|text|logo]",
    "remove the [semi-transparent|transparent|white] [text|mark|letters] [over the image|from the "
    "picture|]",
    "no watermark[ please|]",
    "somebody has put a watermark with text across my photo and i need a clean copy, please remove "
    "all of it and restore what was behind the letters",
    "there is writing on top of this picture, please erase every letter of it and leave the rest "
    "of the image as it is",
    NULL};
static const char *const dewatermark_held[] = {
    "scrub the [agency's|owner's] imprint off my picture",
    "strip those [ghostly|faint] [characters|captions] from the shot",
    "peel the [caption|imprint|signature] away so only the scene remains",
    "somebody branded this shot, make it [pristine|unbranded] again",
    "wipe out the overlaid [captions|lettering]",
    "undo the branding printed over this [scene|capture]",
    "reveal what the [imprint|caption] is hiding",
    "the agency printed its imprint over the whole scene, so please scrub every trace of those "
    "ghostly characters off and rebuild the texture that they are hiding from us",
    NULL};
static const char *const dewatermark_clause[] = {"remove the watermark", "erase the text",
    "delete the watermark", "take the watermark off", "remove the logo", NULL};
static const char *const dewatermark_clause_held[] = {
    "scrub the imprint off", "wipe out the overlaid lettering", NULL};

static const char *const remove_train[] = {
    "[remove|delete|erase|get rid of] the [object|thing|unwanted object|foreign object] [from this "
    "photo|in the picture|from the image|]",
    "remove the object [that doesn't belong here|pasted into the photo|in the foreground]",
    "[please |]remove the unwanted object",
    "[can|could|would] you [remove|erase|take out] the [object|thing] that [disturbs|does not "
    "belong here]?",
    "[clean up|tidy up] the [photo|picture] by removing the [object|distracting object]",
    "[fill in|restore] the background behind the [object|thing]",
    "there is something in this picture that does not belong there, please remove it together with "
    "its shadow and fill in the background so that nobody can see it was there",
    NULL};
static const char *const remove_named[] = {"[remove|delete|erase|get rid of|take out] the $O [from "
                                           "this photo|from the image|in the picture|]",
    "[please |]remove the $O",
    "[can|could|would] you [remove|erase|delete|take away] the $O [here|from this picture]?",
    "i [want|would like] this [photo|picture] without the $O", "make the $O [disappear|go away]",
    "[take|get] the $O out of [the picture|this photo|here]",
    "the $O should not be [here|in this photo], [remove it|erase it|delete it]",
    "remove the $O and [fill in|restore] the background", "no $O[ please|]",
    "show the [scene|background] without the $O",
    "there is a $O in this picture that i do not want, please remove it together with its shadow "
    "and fill in the background so that nobody can see it",
    "i like this photo but not the $O in it, could you erase it and restore what is behind it",
    NULL};
static const char *const remove_held[] = {"the intruder in this shot has to go",
    "[eliminate|scrub out] whatever was [glued|stuck] onto the scene",
    "some item is in the way, let it vanish",
    "leave nothing but the original [scenery|surroundings]",
    "[retouch|airbrush] the misplaced item away",
    "what would it look like had [nobody|no one] put that thing there?",
    "paint [over|across] the misplaced item so nobody notices",
    "free the scene from its uninvited [guest|item]",
    "some misplaced item spoils the view, so let it vanish without a trace and leave nothing but "
    "the original surroundings, as if nobody had ever put it there at all",
    NULL};
static const char *const remove_named_held[] = {"[retouch|airbrush] the $O away so nobody notices",
    "the $O is in the way, let it vanish", "[eliminate|scrub out] the $O that somebody put there",
    "pretend there never was [any|a] $O", "paint over the $O with matching surroundings",
    "let the $O vanish", "what would it look like had no one put the $O there?",
    "my favourite view is spoilt by that $O, so airbrush it away with everything it casts on the "
    "ground and let the original surroundings take its place again",
    NULL};
static const char *const remove_clause[] = {"remove the object", "erase the unwanted object",
    "delete the object", "take the object out", NULL};
static const char *const remove_clause_held[] = {
    "let the misplaced item vanish", "airbrush the intruder away", NULL};

#define SAME(task)                                                                                 \
    {                                                                                              \
        {task##_train, task##_train, task##_clause},                                               \
        {                                                                                          \
            task##_held, task##_held, task##_clause_held                                           \
        }                                                                                          \
    }

static const char *const *const templates[TASK_COUNT][PHRASE_SETS][PHRASE_KINDS] = {
    [TASK_COLORIZE] = SAME(colorize),
    [TASK_LOWLIGHT] = SAME(lowlight),
    [TASK_DEHAZE] = SAME(dehaze),
    [TASK_DESNOW] = SAME(desnow),
    [TASK_DEBLUR] = SAME(deblur),
    [TASK_DEWATERMARK] = SAME(dewatermark),
    [TASK_REMOVE] = {{remove_train, remove_named, remove_clause},
        {remove_held, remove_named_held, remove_clause_held}},
};

const char *const *phrases_templates(enum task task, enum phrase_set set, enum phrase_kind kind)
{
    return templates[task][set][kind];
}

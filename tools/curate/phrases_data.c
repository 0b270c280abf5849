/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "tools/curate/phrases.h"

/* One block a task: training phrases, held-out phrases, clauses of both. Held-out ones use other
 * words and other sentences than training, not just another order. */

/* Words that every task's phrases share, as $ and a letter: not within brackets. */
static const char *const classes[26] = {
    ['K' - 'A'] =
        "[|||please |can you |could you please |would you |kindly |i'd like you to |i need you to "
        "|i want you to |you should |try to |just |now |let's |help me |your task: |we have to ]",
    ['P' - 'A'] = "[photo|picture|image|photograph|pic|photo of mine|holiday photo|scan|jpeg|file]",
    ['T' - 'A'] =
        "[it|this|the photo|this photo|the picture|this picture|my picture|the image|this image|"
        "that photograph|this pic|our photo|the whole thing|everything|the attached image]",
    ['V' - 'A'] =
        "[remove|delete|erase|get rid of|take away|take out|clear away|clean away|cut out|edit out|"
        "rub out|do away with|throw out|pull out|banish|drop|lose|kill|photoshop away|make "
        "disappear]",
    ['W' - 'A'] =
        "[|||from this photo|from the picture|from my image|in this picture|in the photo|here|"
        "that you see|for me|completely|as well as you can|out of the photograph|everywhere]",
};

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
    "$Kcolor this $P", "$Kcolourise this $P",
    "$K[add|apply|put|use] [colors|colour|some color|natural color|lively colors|realistic "
    "colours] [to|in|into|on] $T",
    "$Kmake $T [colorful|colored|a color picture|look like a color photo|less grey|full of "
    "color|polychrome]",
    "$Kgive $T [back its colors|its colors back|realistic colors|natural colours|some color|the "
    "colors it had]",
    "$Kbring [back the colors|the colors back|color back] [in|to|into|of] $T",
    "[why is|how come] $T [grey|black and white|without colors]? [color it|add the colors|i want "
    "colors]",
    "i [want|need|wish for|would love|prefer] [color|colors|a color version|a coloured "
    "copy|colours] [in|of|for] $T",
    "$T is [only|all|just|still] [black and white|grey|gray|monochrome|grayscale|b&w], [color "
    "it|colorize it|add the colors|make it colorful|put colors in]",
    "[b&w|bw|black and white|grayscale|grey|gray] to [color|colour|rgb|colors][ please|]",
    "[automatic |photo |image |]colorization", "[automatic |photo |image |]colouring[ please|]",
    "[colour|color] [restoration|reconstruction|transfer]",
    "fill the [grey|gray|black and white] [areas|regions|surfaces|parts] with "
    "[suitable|fitting|plausible|matching|likely] colors",
    "[grass|trees|leaves|the meadow] should be green, [the sky|water|the sea] blue and "
    "[skin|faces|wood|bricks] [warm|brown|reddish|natural]",
    "show [me |us |][what the real colors were|the true colors|how it looked in color|the world in "
    "color]",
    "[no more|not] [grey|black and white|monochrome], [color please|but colour|give me colors]",
    "[let|have] $T [shine|appear|be seen] in [color|all colors|bright colors|the colors of nature]",
    "imagine the colors[ of this scene| that were lost|] and [paint|add|put] them [in|on|over it]",
    "[transform|change|convert|turn|make] $T [to|into] [a colored one|color|a full color "
    "picture|something colorful|a color photograph]",
    "my [father|mother|uncle|aunt|grandfather|neighbour|school] [took|made|kept] this [black and "
    "white|grey|bw] $P[ in the war| in 1950| long ago|], [color it|add colors please|i'd like to "
    "see it in color]",
    "[saturate|repaint|recolor|color in|colourise] [this|the] [grey|gray|colorless|black and "
    "white|uncolored] $P",
    "it's [colorless|all grey|a bw scan|without any color|an old black-and-white one], [add "
    "some|fix the color|make it look natural|give it color]",
    "the [sky|water|grass|dress|flower|car|wall|face] is [grey|gray|without color] and should have "
    "[its color|the right color|a natural color]",
    "[old|antique|vintage|historic] [black and white|monochrome] $P, [color version|colors "
    "please|make it modern and colorful]",
    "$T [lacks|has no|is missing|needs|could use] [color|colour|colors|all its colors|red, green "
    "and blue]",
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
    "$T is [way too|too|much too|so|very|really|a bit] "
    "[dark|dim|dull|black|shadowy|underexposed][, fix it|, brighten it up|, make it lighter|, "
    "correct the exposure|, more light please|]",
    "$Kmake $T [lighter|brighter|bright|well lit|look like daylight|look like day|as bright as "
    "day|less dark|not so dark]",
    "$K[increase|raise|turn up|push up|improve|double] the [brightness|exposure|light|light "
    "level|gain|gamma]",
    "more [light|brightness|exposure|sun|daylight][ please| in this one|]",
    "[night|dusk|evening|darkness] to [day|daylight|noon]",
    "$Kturn [night|the night|the dark|this darkness] into [day|daylight|a bright day]",
    "$K[correct|repair|adjust|compensate|fix|change] the "
    "[exposure|brightness|darkness|lighting|light levels|dark tones|shadows|dark areas]",
    "there was [hardly any|no|too little|not enough|very little] [light|sun|daylight] [in the "
    "room|when i took it|there|that night], [fix that|make it bright|brighten it]",
    "[the flash|my flash] did [not fire|not go off|not work], [so it is dark|make it brighter|can "
    "you lighten it]",
    "$K[relight|light up|lighten|brighten up|brighten] [the scene|the room|the street|this dark "
    "place|everything|the dark corners|the shadows]",
    "$K[denoise|clean] and [brighten|lighten] [this|the] [dark|night|dim] $P",
    "i [can hardly|cannot|can barely|can't] [see|make out|recognise|distinguish] [anything|the "
    "faces|a thing|what is there], [it is too dark|so dark it is|because of the darkness|it lies "
    "in the shadows]",
    "[gamma|exposure|brightness|light|darkness|night] "
    "[correction|enhancement|compensation|adjustment]",
    "[exposure|brightness|light] up[ please|]",
    "[lighten|open up|raise|brighten] the [shadows|dark parts|dark regions|blacks]",
    "[taken|made|photographed] [at night|after sunset|in a dark room|in a cellar|in candlelight|by "
    "moonlight|in the evening|in a cave], [brighten|lighten|light up] [it|the picture]",
    "it should look as if [the sun was shining|it was taken at noon|it had been taken by day|there "
    "had been enough light]",
    "[enhance|improve|process] this [low light|low-light|lowlight|night|nighttime|dark] $P",
    "[low light|dark|night|nighttime] [photo|image|picture], [make it bright|enhance it|bring out "
    "the details|more exposure]",
    "$T came out [dark|nearly black|too dark|almost black|underexposed], [can you save it|make it "
    "lighter|raise the exposure|brighten]",
    "the [faces|people|trees|furniture|details|houses] are [lost|hidden] in [the "
    "dark|darkness|shadow|the shadows|the dark of the night], [show them|make them visible|bring "
    "light to them]",
    "[the exposure|the shutter time|the iso|the aperture] was [wrong|too short|too low|too small], "
    "so [brighten it|it is too dark|add light]",
    "[add|give it|put in|we need] [more |some |a lot of |]light",
    "[dark|too dark|so dark]! [brighter please|fix|light it up|lighten]",
    "brighten [up |]$T[ a lot| strongly| and remove the grainy noise| without noise|]", NULL};
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
    "$K$V the [fog|haze|mist|smog|haziness|fogginess|grey haze|white fog|thick fog|morning "
    "mist|dust in the air|dense haze] $W",
    "$T is [foggy|hazy|misty|too hazy|full of fog|covered in haze|faded by fog|flat because of the "
    "haze|dull from the mist][, fix it|, clear it|, clean the air|, dehaze please|]",
    "[the|those] [far|distant] [hills|mountains|buildings|houses|trees|parts] [are "
    "lost|disappear|can hardly be seen|fade away|are hidden] in the [fog|mist|haze|grey], [clear "
    "it|make them visible|show them|bring out the contrast]",
    "$K[make|let] the [air|view|scene|background|horizon|distance] "
    "[clear|visible|transparent|clean|fog free][ again|]",
    "i [can't|cannot|can hardly] see [the mountains|the city|far|the other side|the horizon][ "
    "because of the fog| because of the haze| for all the mist|], [clear it up|too foggy|the haze "
    "must go]",
    "$K[defog|dehaze|unfog|demist|de-haze|de-fog|unhaze] $T",
    "[fog|haze|mist|smog|single image haze] [removal|reduction|correction][ please|]",
    "[dehazing|defogging]", "[no|without|less|zero|minus the] [fog|haze|mist|smog][ please|]",
    "$K[increase|strengthen|restore|deepen] the contrast that the [fog|haze|mist] [took away|has "
    "weakened|hides]",
    "the [weather|air|sky|day|morning] was [hazy|foggy|misty|damp|humid|dusty], [make it look "
    "clear|clear the view|give me a clear view|remove that haze]",
    "[blow|drive|chase|burn] [away|off] the [fog|mist|haze|smog]",
    "a [clear|sunny|clean|dry] [day|view|sky|atmosphere] instead of [fog|haze|this mist|a foggy "
    "one]",
    "$K[show|reveal|uncover] what [is behind|hides in|lies behind|is inside] the "
    "[fog|haze|mist|smog]",
    "there is [too much|so much|a lot of|some|light|heavy] [fog|haze|mist|smog] [in the air|over "
    "the city|on the hills], [take it out|remove it|clear it]",
    "[air pollution|smog|dust|bad air] makes $T [dull|flat|hazy|unclear], [clean it|improve the "
    "visibility|clear it up]",
    "$K[improve|increase|restore] [visibility|the visibility|the view|the clarity of the air|the "
    "far contrast] in [the fog|this haze|hazy conditions|foggy weather]",
    "[fog-free|haze-free|clear weather|mist-free] version[ please| of this photo|]",
    "[thin|weaken|dissolve|lighten|reduce] the [fog|haze|mist][ until the background can be seen|]",
    "[london|san francisco|the valley|our village|the harbour] in [fog|haze|mist], but i want it "
    "[clear|without fog|without the haze|on a clear day]",
    "the [fog|haze|mist] [is in the way|covers the view|hides the scene|has to go|must "
    "disappear|should go away|is annoying]",
    "get the [fog|haze|mist|smog] out of [the picture|my photo|the air|this scene]", NULL};
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
    "$K$V the [snow|snowflakes|falling snow|snowfall|sleet|snow flakes|snow particles|white "
    "flakes|hail|snow streaks|flying snow|snowstorm|snow in the air] $W",
    "it [snows|is snowing|snowed|was snowing] [heavily|a lot|too much|in the picture|lightly], "
    "[remove the snow|erase the flakes|stop it|take the flakes away]",
    "[sadly |unfortunately |bad luck, |]it [began to snow|snowed|was snowing] [when|while|as] [i "
    "took|we took|she made] [this|the] picture, [remove it|remove the flakes|can you clear it|take "
    "the snow out]",
    "[white|small white|bright|big white] [dots|spots|blobs|streaks|flecks] of snow [all "
    "over|everywhere in|cover|in front of] $T, [remove them|delete them|clean them up|they must "
    "go]",
    "[desnowing|desnow|de-snow|unsnow]",
    "[snow|snowflake|snowfall|flake] [removal|cleaning|deletion][ please|]",
    "[without|no|zero|less|minus the] [snow|flakes|snowfall|snowflakes][ please|]",
    "$Kmake it [stop snowing|look like a day without snow|look like it did not snow|snow no more]",
    "show [me |us |][the scene|the street|the view|it] [before|after|without] the "
    "[snow|snowfall|snowstorm|flakes]",
    "what is behind the [flakes|snow|snowflakes]? [show it|let me see|remove them]",
    "keep the [scene|background|houses|people] but $V the [falling|flying|blowing] snow",
    "[the winter|winter|the snow|a snow shower] [came|arrived] [too early|over night|suddenly], "
    "[take the flakes out|delete the snowflakes|remove the falling snow]",
    "$K[desnow|de-snow|unsnow|clear the snow from|clean the flakes from] $T",
    "the [flakes|snowflakes|snow] [are in the way|cover the view|hide the scene|have to go|must "
    "disappear|should go away|are annoying|fly in front of everything]",
    "get the [snow|flakes|snowflakes|snowfall] out of [the picture|my photo|the air|this scene]",
    "there is [too much|so much|a lot of|some|light|heavy] [snow|snowfall|falling snow] in [the "
    "air|this picture|front of the houses], [take it out|remove it|clear it]",
    "[snow-free|flake-free] version[ please| of this photo|]",
    "[snowflakes|flakes|snow] [stuck to|on|in front of] the [lens|camera|window], [remove them "
    "please|clean it|delete every flake]",
    "every [single |]snowflake [should|must|has to] [go|be removed|disappear|be erased]",
    "[fill in|restore|rebuild] what the [snow|flakes|snowflakes] [hide|cover|hides|covers]",
    "i hate [snow|winter|snowfall], [so remove the flakes|take the snow out of this|make the "
    "falling snow disappear]",
    "the [skiing|street|christmas|mountain|dog] $P is full of [snowflakes|falling snow|flakes], "
    "[remove them|clear them|erase all of them]",
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
    "$T is [blurred|blurry|unsharp|not sharp|unclear|out of focus|shaken|wobbly|not in "
    "focus|indistinct|too blurry][, fix it|, sharpen it|, make it sharp|, deblur please|, improve "
    "it|]",
    "[deblurring|sharpening|refocusing|unblur]",
    "$K[deblur|sharpen|unblur|de-blur|refocus|focus] $T",
    "[more|better|higher] [sharpness|focus|detail|acutance][ please|]",
    "$K[increase|improve|enhance|add|raise] [sharpness|the sharpness|detail|the detail|edge "
    "contrast|the focus]",
    "the [camera|autofocus|focus|lens|phone] [moved|failed|was wrong|was not ready|did not "
    "work|was too slow], [sharpen it|so it is blurry|make it sharp|fix the blur]",
    "[the train|the car|i|my arm|the boat|the bus] [was moving|moved] [while|when] [i took "
    "this|the picture was taken], [remove the motion blur|sharpen it|deblur please]",
    "$Kmake the [edges|lines|details|textures|letters|faces|leaves] "
    "[sharp|sharper|clear|stand out|clearer|crisper|readable]",
    "[edges|lines|details|textures|letters|faces|leaves] [should be|must be|need to be] "
    "[sharp|sharper|clear|well defined]",
    "$K[compensate for|correct|undo|reverse] the [camera movement|motion|wrong focus|camera "
    "shake|defocus|blurring|focus error|bad focus]",
    "i want [to count the leaves|to see every detail|a sharp picture|it in focus|sharp edges][, "
    "now it is blurred|, not this blur|]",
    "$K$V the [blur|motion blur|blurring|blurriness|camera shake|lens blur|gaussian blur|defocus "
    "blur|focus error] $W",
    "[blur|motion blur|defocus|camera shake] [removal|reduction|correction|compensation][ please|]",
    "[no|without|less|zero|minus the] [blur|motion blur|blurriness|shake][ please|]",
    "[sharp|sharper|in focus|crisp] [please|version please|instead of blurry]",
    "why is $T so [blurry|blurred|unsharp]? [sharpen it|make it sharp|i want it sharp]",
    "it [should|must|has to] look [sharp|in focus|crisp|as if the camera had stood still|as if the "
    "focus had been right]",
    "[restore|recover|bring back] the [sharpness|sharp details|fine structure|fine texture|focus] "
    "[of|in|to] $T",
    "the [fine |]details are [blurred|lost in blur|washed together|not clear], [sharpen them|bring "
    "them back|make them sharp]",
    "[focus|the focus] is [off|wrong|behind the person|on the background|bad], [correct "
    "it|sharpen|fix the focus please]",
    "[long exposure|hand-held|no stabilizer|moving target], so the $P is blurred, [sharpen "
    "it|deblur]",
    "a [sharp|crisp|focused] [photo|picture|image|copy] [instead of|not] [a blurry one|this blur]",
    "blurry $P, [sharp one wanted|make it sharp|sharpen|can it be sharper?]", NULL};
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
    "$K$V the [watermark|watermarks|text|logo|letters|writing|words|stamp|copyright|copyright "
    "notice|copyright mark|overlay|sign|label|stock photo text|website name|url|tag|date "
    "stamp|title|slogan|emblem|inscription|name|repeated text|symbol|marking] $W",
    "$K$V the [text|writing|words|letters|logo|name|mark] [printed|written|stamped|laid|placed] "
    "[over|across|on|on top of] $T",
    "$T has [a watermark|text all over it|words across it|a logo in it|a copyright notice|letters "
    "on it|writing in the middle], [remove it|delete it|get rid of it|clean it]",
    "i [bought|own|paid for|have a licence for] [this|the] $P, [now remove the watermark|so take "
    "the text off|give me the version without the mark]",
    "$K[unmark|unwatermark|de-watermark|dewatermark|clean] $T[ of all text| from the marks|]",
    "[watermark|logo|text|copyright|stamp] [removal|deletion|eraser][ please|]",
    "[no|without|zero|minus the] [watermark|text|letters|logo|copyright|writing|marks][ please|]",
    "the [letters|words|logo|text|writing|stamp] [hide|cover|disturb|are in front of|cross] the "
    "[scene|photo|view], [remove them|delete them|take them off]",
    "[somebody|someone|they|the photographer|a website] [wrote|put a mark|placed text|set a logo] "
    "[on|over|across] $T, [remove it|undo that|get rid of it|clean it up]",
    "i don't want [any words|text|a logo|letters|the mark|the copyright] [on|in|over] $T",
    "a [clean|plain|unmarked|mark-free|text-free|logo-free] [copy|version|picture] [please|without "
    "the watermark|without text]",
    "what is behind the [text|letters|logo|watermark|writing]? [show it|fill it in|restore it]",
    "the [watermark|text|logo|writing|copyright] [is in the way|has to go|must disappear|should go "
    "away|is annoying|must be removed]",
    "get the [watermark|text|logo|letters|writing] [off|out of] [the picture|my photo|this "
    "image|here]",
    "every [letter|word|logo|mark] [should|must|has to] [go|be removed|disappear|be erased]",
    "[fill in|restore|rebuild] what the [letters|logo|text|watermark|stamp] "
    "[hide|cover|hides|covers]",
    "there is [text|a logo|a watermark|writing|a stamp] [in the middle|all over|in the "
    "corner|everywhere], [take it out|remove it|clear it]",
    "[the transparent|the white|the grey|the half transparent|the big] "
    "[letters|text|logo|mark|pattern] [on|over|across] [it|the photo] [must go|should be "
    "removed|should be deleted]",
    "$K[delete|hide|cover up|paint out] the [brand name|photographer's name|copyright line|company "
    "logo|trademark|letters|site address]",
    "[read|see] the [name|letters|word] across the $P? [remove it|i want it gone|delete it]",
    "[stock photo|preview|sample|draft|proof] text [is all over the picture|must be removed|needs "
    "to be erased|across it, remove it]",
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
    "$K$V the [object|thing|unwanted object|foreign "
    "object|sticker|cut-out|stuff|element|figure|clutter|pasted object|fake object|extra "
    "object|odd thing|strange object|disturbing thing] $W",
    "[that|the|this] [thing|object|stuff|figure] [does not belong here|should not be here|is in "
    "the way|disturbs me|is annoying|has to go|must disappear], [remove it|delete it|take it "
    "out|cut it out]",
    "[object|unwanted object|thing|clutter] removal[ please|]",
    "[inpaint|fill|restore] [the area of|the place of|what is behind] the [object|unwanted "
    "object|thing]",
    "[no|without the|minus the] [object|foreign object|unwanted thing|clutter][ please|]",
    "[somebody|someone] [put|pasted|placed|left] [something|an object|a thing] [into|in] [the "
    "picture|my photo|this image], [remove it|delete it|take it away]",
    "what is behind the [object|thing|figure]? [show it|fill it in|restore the background]",
    "$K[clean up|tidy up|declutter] $T, [remove the object|there is a thing too many|that object "
    "must go]",
    "i want the [background|scene|view] only, [remove the object|not the thing in front|without "
    "the object]",
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
    "$K$V the $O $W", "$K$V that $O $W", "$K$V this $O $W",
    "$K[hide|clone out|inpaint|cover up|paint out] the $O[ please| for me|]",
    "[that|the|this] $O [does not belong here|should not be here|is in the way|disturbs me|is "
    "annoying|has to go|must disappear], [remove it|delete it|take it out|cut it out]",
    "$O removal[ please|]", "[no|without the|minus the|zero] $O[ please|]",
    "[somebody|someone] [put|pasted|placed|left] a $O [into|in] [the picture|my photo|this image], "
    "[remove it|delete it|take it away]",
    "what is behind the $O? [show it|fill it in|restore the background]",
    "$K[clean up|tidy up|declutter] $T, that $O must go",
    "i want the [background|scene|view] only, [remove the object|take it away|it disturbs], the $O",
    "i don't want [to see |][the|a|any|that] $O [on|in|over] $T",
    "the $O [has to|must|should] [go|be removed|disappear|be erased|be deleted]",
    "get [rid of |]the $O[ out of the picture| out of here| from my photo|]",
    "[where|there] the $O is, [there should be background|show the background|fill in the "
    "background]",
    "my [wife|friend|boss|mother] [does not like|hates|wants me to remove] the $O[, remove it| in "
    "this photo|]",
    "$T would be [better|nicer|perfect] without the $O",
    "[inpaint|fill|restore] [the area of|the place of|what is behind] the $O", NULL};
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

const char *phrases_class(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? classes[letter - 'A'] : NULL;
}

const char *const *phrases_templates(enum task task, enum phrase_set set, enum phrase_kind kind)
{
    return templates[task][set][kind];
}

// SPDX-License-Identifier: Apache-2.0
// From whatever a person chose, dropped or pasted to a photo the server takes.
import { formatBytes } from './dom.js';

const THUMB_PIXELS = 192;
const CONVERTED_QUALITY = 0.95;

/** A photo that can't be taken; the message is for people. */
export class PhotoError extends Error {}

/** 'png', 'jpeg', 'webp', or null for everything else: by magic bytes, as the server does it. */
export function sniff(bytes) {
  const text = (from, to) => String.fromCharCode(...bytes.slice(from, to));
  if (text(0, 8) === '\x89PNG\r\n\x1a\n') return 'png';
  if (text(0, 3) === '\xff\xd8\xff') return 'jpeg';
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return 'webp';
  return null;
}

export async function decode(blob) {
  const url = URL.createObjectURL(blob);
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
    return image; // decoded: the URL is no longer needed
  } finally {
    URL.revokeObjectURL(url);
  }
}

function draw(image, width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, width, height);
  return canvas;
}

export const toBlob = (canvas, type, quality) =>
  new Promise((resolve) => canvas.toBlob(resolve, type, quality));

export async function makeThumb(image) {
  const scale = Math.min(1, THUMB_PIXELS / Math.min(image.naturalWidth, image.naturalHeight));
  const width = Math.max(1, Math.round(image.naturalWidth * scale));
  const height = Math.max(1, Math.round(image.naturalHeight * scale));
  return toBlob(draw(image, width, height), 'image/webp', 0.8);
}

/** What the browser can show and the server can't take (HEIC on some, AVIF, GIF, BMP). */
async function convert(image, type) {
  const isLossless = type === 'image/gif' || type === 'image/bmp';
  const canvas = draw(image, image.naturalWidth, image.naturalHeight);
  const blob = await toBlob(canvas, isLossless ? 'image/png' : 'image/jpeg', CONVERTED_QUALITY);
  if (!blob) throw new PhotoError('This photo is too large to convert in this browser.');
  return blob;
}

function checkLimits(blob, image, limits) {
  const pixels = image.naturalWidth * image.naturalHeight;
  // The rest of the form needs some room in the body, too.
  const bytesMax = limits?.body_bytes ? limits.body_bytes - 64 * 1024 : Infinity;
  if (blob.size > bytesMax)
    throw new PhotoError(`This file has ${formatBytes(blob.size)}; the server takes up to ${formatBytes(bytesMax)}.`);
  if (limits?.pixels && pixels > limits.pixels)
    throw new PhotoError(
      `This photo has ${(pixels / 1e6).toFixed(1)} megapixels; the server takes up to ${limits.pixels / 1e6}.`,
    );
}

/** Resolves to {blob, name, width, height, thumb, note}; note tells of a conversion, else ''. */
export async function readPhoto(file, limits) {
  const format = sniff(new Uint8Array(await file.slice(0, 16).arrayBuffer()));
  let image;
  try {
    image = await decode(file);
  } catch {
    throw new PhotoError(
      format
        ? 'This file is damaged: it can’t be shown.'
        : 'This isn’t a photo that can be read here. PNG, JPEG and WebP work everywhere.',
    );
  }
  const blob = format ? file : await convert(image, file.type);
  checkLimits(blob, image, limits);
  return {
    blob,
    name: file.name || 'pasted photo',
    width: image.naturalWidth,
    height: image.naturalHeight,
    thumb: await makeThumb(image),
    note: format ? '' : `Converted to ${blob.type === 'image/png' ? 'PNG' : 'JPEG'} for the server.`,
  };
}

/** The first image file of a drop or paste, or null. */
export function imageOf(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find((file) => file.type.startsWith('image/')) ?? files[0] ?? null;
}

// Files to send.

// A chess board of 64 by 48 pixels, as PNG.
export const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAAAAACEICPDAAAANUlEQVR42mMQgYITUEAqn2HUgGFhALkaYfxRA4aHAa' +
    'N5YdSA0fJg1IDR8mDUgNHyYNQAND4Ao5MoTMM3ausAAAAASUVORK5CYII=',
  'base64',
)

export const DOCUMENT = Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n')

export function dataUrl(type, bytes) {
  return `data:${type};base64,${bytes.toString('base64')}`
}

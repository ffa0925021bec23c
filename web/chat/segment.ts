/** Items of one segment of a history: a new message rewrites the last segment only. */
export const SEGMENT = 256

/** The last moment of the year 9999, milliseconds since 1970: later ones have no ISO form that other programs read. */
export const LAST_MOMENT_MS = 253_402_300_799_999;

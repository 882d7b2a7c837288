import { config } from "zod";

// A command reads each document once: to compile a parser for its shape takes longer than to read it without.
config({ jitless: true });

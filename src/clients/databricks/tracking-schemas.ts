import * as z from "zod";

/** Replies about bytes that a workspace keeps for MLflow. Unknown fields are ignored, and a list that is absent is empty. */

export const nothing = z.looseObject({});

const credential = z.object({
  signed_uri: z.string().min(1).max(20_000),
  headers: z.array(z.object({ name: z.string().max(200), value: z.string().max(20_000).default("") })).default([]),
  type: z.string().default(""),
});
export type CredentialBody = z.infer<typeof credential>;

export const runCredentials = z.object({ credential_infos: z.array(credential).default([]) });
export const modelCredentials = z.object({
  credentials: z.array(z.object({ credential_info: credential })).default([]),
});
export const multipartUpload = z.object({
  upload_id: z.string().min(1),
  upload_credential_infos: z.array(credential).default([]),
  abort_credential_info: credential.optional(),
});
export const partCredential = z.object({ upload_credential_info: credential });

export const folderPage = z.object({
  files: z
    .array(
      z.object({
        path: z.string().min(1).max(5000),
        is_dir: z.boolean().default(false),
        file_size: z.union([z.number(), z.string().transform(Number)]).default(0),
      }),
    )
    .default([]),
  next_page_token: z.string().default(""),
});

/** Which logged models a run made. */
export const runOutputs = z.object({
  run: z.object({
    outputs: z
      .object({ model_outputs: z.array(z.object({ model_id: z.string().min(1).max(200) })).default([]) })
      .default({ model_outputs: [] }),
  }),
});

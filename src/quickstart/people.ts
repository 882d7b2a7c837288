/** Somebody of the story. Each has a home with keys, settings and git identity of their own. */
export interface Person {
  name: string;
  address: string;
  /** Beside the policy. */
  home: string;
}

export const AUTHOR: Person = { name: "Author", address: "author@example.com", home: "home/author" };
export const APPROVER: Person = { name: "Approver", address: "approver@example.com", home: "home/approver" };

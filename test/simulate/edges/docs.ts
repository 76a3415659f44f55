/** The page of the documentation is files, which nothing here reads. */
export const docs = async (): Promise<void> => undefined;

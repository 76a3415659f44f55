/** Imports a module of the program, with the simulation's edges in their places. */
export const program = (name: string): Promise<object> => import(name);

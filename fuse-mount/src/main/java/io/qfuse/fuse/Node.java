package io.qfuse.fuse;

/** What a name of the mount stands for. */
sealed interface Node permits ImageNode, DirectoryNode {

    /** Its number, which is its inode number too. */
    long number();

    /** Its attributes as of now. */
    NodeAttributes attributes();
}

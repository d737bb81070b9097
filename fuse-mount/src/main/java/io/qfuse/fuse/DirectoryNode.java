package io.qfuse.fuse;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A directory: the root, or that of an image's snapshots. Filled before it is served, and unchanged from then on. */
final class DirectoryNode implements Node {

    private final long number;
    private final long parent;
    private final Permissions permissions;
    private final long madeMillis;
    private final List<String> names = new ArrayList<>();
    private final Map<String, Node> nodes = new HashMap<>();
    private int directories;

    /** An empty directory; the root is its own parent. */
    DirectoryNode(long number, long parent, Permissions permissions, long madeMillis) {
        this.number = number;
        this.parent = parent;
        this.permissions = permissions;
        this.madeMillis = madeMillis;
    }

    void add(String name, Node node) {
        if (nodes.putIfAbsent(name, node) != null) {
            throw new IllegalArgumentException("two images would both be '" + name + "'");
        }
        names.add(name);
        directories += node instanceof DirectoryNode ? 1 : 0;
    }

    @Override
    public long number() {
        return number;
    }

    long parent() {
        return parent;
    }

    /** The names in the order that they were given. */
    List<String> names() {
        return names;
    }

    Node find(String name) throws ErrnoException {
        Node node = nodes.get(name);
        if (node == null) {
            throw new ErrnoException(Errno.ENOENT, name);
        }
        return node;
    }

    @Override
    public NodeAttributes attributes() {
        int mode = NodeAttributes.DIRECTORY | permissions.directory();
        int links = 2 + directories; // its name, its own '.', and the '..' of each directory in it
        return new NodeAttributes(number, mode, links, permissions.uid(), permissions.gid(), 0, 0, madeMillis);
    }
}
